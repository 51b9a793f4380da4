"""envoy/envoy.yaml as it is shipped, on the ports of the demonstration and with its certificates. With an issuer: with
that, and orders are read with a second factor alone."""
import sys
work, port, admin, upstream, approvals, *issuer = sys.argv[1:]
text = open("envoy/envoy.yaml").read()
for name in ("client.yaml", "authority.yaml"):
    secret = open(f"envoy/certificates/{name}").read()
    secret = secret.replace("filename: tls/", f"filename: {work}/tls/").replace("path: tls}", f"path: {work}/tls}}")
    open(f"{work}/{name}", "w").write(secret)
changes = (("envoy/certificates/client.yaml", f"{work}/client.yaml"),
           ("envoy/certificates/authority.yaml", f"{work}/authority.yaml"),
           ("port_value: 10000", f"port_value: {port}"), ("port_value: 9901", f"port_value: {admin}"),
           ("port_value: 8080", f"port_value: {upstream}"), ("port_value: 8300", f"port_value: {approvals}"))
if issuer:
    read = '                      paths: ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"]\n'
    factor = '                      require: {acr: [mfa], amr: [otp], max_auth_age: 20s}\n'
    changes += (("issuer: https://approvals.internal", f"issuer: {issuer[0]}"), (read, read + factor))
for old, new in changes:
    if text.count(old) != 1:
        sys.exit(f"envoy/envoy.yaml holds `{old}` {text.count(old)} times; the demonstration needs it once")
    text = text.replace(old, new)
open(f"{work}/envoy.yaml", "w").write(text)
