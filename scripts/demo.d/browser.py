"""A browser of one person, without a window: it follows redirects, keeps cookies, and answers Keycloak's pages with the
person's password and one-time code.

usage: browser.py USERNAME PASSWORD SECRET URL   as a program that $BROWSER names
       browser.py --code SECRET                  prints the one-time code of this moment
"""
import base64, hashlib, hmac, html, os, re, ssl, struct, sys, time
import urllib.error, urllib.parse, urllib.request


def code(secret):
    """RFC 6238, with the secret as Keycloak keeps it: its characters are the key."""
    digest = hmac.new(secret.encode(), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000:06}"


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


class Browser:
    def __init__(self, username, password, secret):
        self.username, self.password, self.secret = username, password, secret
        self.cookies = {}
        trust = ssl.create_default_context(cafile=os.environ.get("BREAKGLASS_CA_FILE"))
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust), Stay)

    def go(self, url, form=None):
        """The page where the redirects end."""
        for _ in range(20):
            origin = urllib.parse.urlsplit(url).netloc
            cookies = self.cookies.setdefault(origin, {})
            request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode() if form else None)
            request.add_header("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
            try:
                answer = self.opener.open(request, timeout=30)
            except urllib.error.HTTPError as error:
                answer = error
            # Keycloak's cookies are `Secure`, and browsers send them on loopback without TLS too.
            for cookie in answer.headers.get_all("set-cookie") or []:
                name, _, value = cookie.split(";")[0].partition("=")
                cookies[name] = value
                if not value or "max-age=0" in cookie.lower():
                    del cookies[name]
            where = answer.headers.get("location")
            if where is None:
                return url, answer.status, answer.read().decode()
            url, form = urllib.parse.urljoin(url, where), None
        sys.exit(f"too many redirects, at last to {url}")

    def sign_in(self, url):
        at, status, page = self.go(url)
        for _ in range(4):
            if 'name="otp"' in page:
                fields = {"otp": code(self.secret)}
            elif 'name="password"' in page:
                fields = {"username": self.username, "password": self.password}
            else:
                break
            action = html.unescape(re.search(r'<form[^>]*action="([^"]*)"', page).group(1))
            print(f"   the browser of {self.username} gives: {', '.join(fields)}", file=sys.stderr)
            at, status, page = self.go(urllib.parse.urljoin(at, action), fields)
        if status >= 400:
            sys.exit(f"{at}: {status} {page[:400]}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--code"]:
        print(code(sys.argv[2]))
    else:
        username, password, secret, url = sys.argv[1:]
        Browser(username, password, secret).sign_in(url)
