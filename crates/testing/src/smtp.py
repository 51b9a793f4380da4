"""A mail server that keeps what it takes: letters as JSON files in a folder, each whole when it has its name."""
import email, email.policy, json, os, ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

folder, certificate, key, *answers = sys.argv[1:]


class Keeper:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Keeper.count += 1
        if Keeper.count <= len(answers):
            return answers[Keeper.count - 1]
        letter = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        part = lambda kind: next((p.get_content() for p in letter.walk() if p.get_content_type() == kind), None)
        found = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "headers": [[k, str(v)] for k, v in letter.items()],
            "plain": part("text/plain"), "html": part("text/html"), "raw": envelope.content.decode("utf-8", "replace"),
            "tls": session.ssl is not None, "user": getattr(session, "auth_data", None) and session.auth_data.login.decode(),
        }
        path = os.path.join(folder, "%06d" % Keeper.count)
        with open(path, "w") as file:
            json.dump(found, file)
        os.rename(path, path + ".json")
        return "250 kept as %d" % Keeper.count


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"breakglass" and data.password == b"secret", auth_data=data)


options = {}
if certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    options = dict(tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate)


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, **options)


# A port that is free: the controller's own look for one takes port 0 as it is.
import socket
with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
server = Server(Keeper(), hostname="127.0.0.1", port=port)
server.start()
print(port, flush=True)
while True:
    time.sleep(60)
