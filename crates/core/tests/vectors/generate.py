#!/usr/bin/env python3
"""Makes jws.json: tokens signed, well and badly, by another implementation (pyca/cryptography).

    pip install cryptography && python3 generate.py > jws.json

Every token is for the instant 1800000000 and the issuer, audience and claims below, so that only
what its name says is wrong with it.
"""
import base64
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CLAIMS = {
    "iss": "https://issuer.example", "sub": "alice", "aud": ["payments-prod"],
    "iat": 1799999900, "exp": 1800000800, "jti": "grant-1", "scope": "orders:read",
    "breakglass": {"reason": "pager", "incident": "INC-1", "approvers": ["bob"]},
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int) -> str:
    return b64(value.to_bytes(size, "big"))


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


ES256, ES256_OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ES384 = ec.generate_private_key(ec.SECP384R1())
EDDSA = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_jwk(key, kid, crv, size):
    point = key.public_key().public_numbers()
    return {"kty": "EC", "crv": crv, "kid": kid, "x": number(point.x, size), "y": number(point.y, size)}


def rsa_jwk(kid, **more):
    public = RSA.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(public.n, 256), "e": number(public.e, 3), **more}


KEYS = [
    ec_jwk(ES256, "es256", "P-256", 32),
    ec_jwk(ES384, "es384", "P-384", 48),
    {"kty": "OKP", "crv": "Ed25519", "kid": "eddsa",
     "x": b64(EDDSA.public_key().public_bytes_raw())},
    rsa_jwk("rsa"),
    rsa_jwk("rsa-rs256-only", alg="RS256"),
]


def ecdsa(key, size, digest):
    def sign(data):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return sign


PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
SIGN = {
    "ES256": ecdsa(ES256, 32, hashes.SHA256()),
    "ES384": ecdsa(ES384, 48, hashes.SHA384()),
    "EdDSA": EDDSA.sign,
    "RS256": lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    "PS256": lambda data: RSA.sign(data, PSS, hashes.SHA256()),
}
KID = {"ES256": "es256", "ES384": "es384", "EdDSA": "eddsa", "RS256": "rsa", "PS256": "rsa"}


def token(alg, sign=None, change=lambda signature: signature, claims=CLAIMS, header=None, **more):
    head = {"alg": alg, "kid": KID.get(alg, "es256"), "typ": "breakglass+jwt", **more}
    data = b64(compact(head) if header is None else header) + "."
    data += b64(claims if isinstance(claims, bytes) else compact(claims))
    return data + "." + b64(change((sign or SIGN[alg])(data.encode())))


TESTS = []


def case(name, expect, value):
    TESTS.append({"name": name, "expect": expect, "token": value})


for alg in SIGN:
    case(f"{alg} as it should be", "ok", token(alg))
    case(f"{alg} with a flipped bit", "signature_invalid",
         token(alg, change=lambda s: s[:-1] + bytes([s[-1] ^ 1])))
    case(f"{alg} one byte short", "signature_invalid", token(alg, change=lambda s: s[:-1]))
    case(f"{alg} one byte long", "signature_invalid", token(alg, change=lambda s: s + b"\0"))
    case(f"{alg} without signature", "signature_invalid", token(alg, change=lambda s: b""))
    case(f"{alg} of zeros", "signature_invalid", token(alg, change=lambda s: bytes(len(s))))

fixed = lambda r, s: (lambda _: r.to_bytes(32, "big") + s.to_bytes(32, "big"))
case("ES256 with r = s = 0", "signature_invalid", token("ES256", change=fixed(0, 0)))
case("ES256 with r = s = 1", "signature_invalid", token("ES256", change=fixed(1, 1)))
case("ES256 with r = s = n", "signature_invalid", token("ES256", change=fixed(N256, N256)))
case("ES256 with s = 0", "signature_invalid", token("ES256", change=lambda s: s[:32] + bytes(32)))
case("ES256 in DER", "signature_invalid",
     token("ES256", sign=lambda data: ES256.sign(data, ec.ECDSA(hashes.SHA256()))))
case("ES256 by another key", "signature_invalid",
     token("ES256", sign=ecdsa(ES256_OTHER, 32, hashes.SHA256())))
case("ES256 over SHA-384", "signature_invalid", token("ES256", sign=ecdsa(ES256, 32, hashes.SHA384())))
case("ES256 said, P-384 key named", "algorithm_not_allowed",
     token("ES256", sign=SIGN["ES384"], kid="es384"))
case("ES384 said, P-256 key named", "algorithm_not_allowed",
     token("ES384", sign=SIGN["ES256"], kid="es256"))
case("ES256 said, RSA key named", "algorithm_not_allowed", token("ES256", kid="rsa"))
case("PS256 with a key for RS256 only", "algorithm_not_allowed", token("PS256", kid="rsa-rs256-only"))
case("RS256 with a key for RS256 only", "ok", token("RS256", kid="rsa-rs256-only"))
case("RS256 signature called PS256", "signature_invalid", token("PS256", sign=SIGN["RS256"]))
case("alg none", "algorithm_not_allowed", token("none", sign=lambda data: b""))
case("alg None", "algorithm_not_allowed", token("None", sign=lambda data: b""))
for name in ("HS256", "es256", "ES512", "ES256K", "RS512", "ES256 "):
    case(f"alg {name}", "algorithm_not_allowed", token(name, sign=SIGN["ES256"]))
case("HMAC keyed with the public key", "algorithm_not_allowed",
     token("HS256", sign=lambda data: __import__("hmac").digest(
         ES256.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo),
         data, "sha256")))
for name, value in (("crit", ["exp"]), ("crit", []), ("b64", False), ("jwk", KEYS[0]),
                    ("jku", "https://evil.example/jwks.json"), ("x5u", "https://evil.example/"),
                    ("x5c", ["MIIB"])):
    case(f"header with {name} {json.dumps(value)[:9]}", "token_malformed", token("ES256", **{name: value}))
case("kid unknown", "key_unknown", token("ES256", kid="other"))
case("kid missing", "token_malformed", token("ES256", header=b'{"alg":"ES256","typ":"breakglass+jwt"}'))
case("kid a number", "token_malformed", token("ES256", kid=1))
case("typ JWT", "token_type", token("ES256", typ="JWT"))
case("typ missing", "token_malformed", token("ES256", header=b'{"alg":"ES256","kid":"es256"}'))
case("typ as a media type", "ok", token("ES256", typ="application/Breakglass+JWT"))
case("alg twice", "token_malformed", token(
    "ES256", header=b'{"alg":"none","alg":"ES256","kid":"es256","typ":"breakglass+jwt"}'))
case("header not an object", "token_malformed", token("ES256", header=b'["ES256"]'))
case("header not UTF-8", "token_malformed", token("ES256", header=b'{"alg":"ES256\xff"}'))
case("claims not JSON", "token_malformed", token("ES256", claims=b"foo"))
case("claims a list", "token_malformed", token("ES256", claims=b"[]"))
case("exp twice", "token_malformed",
     token("ES256", claims=compact(CLAIMS)[:-1] + b',"exp":1900000000}'))
case("claims nested deeply", "token_malformed",
     token("ES256", claims=compact(CLAIMS)[:-1] + b',"x":' + b"[" * 2000 + b"]" * 2000 + b"}"))

good = token("ES256")
head, body, signature = good.split(".")
other = b64(compact({**CLAIMS, "scope": "orders:write"}))
case("claims exchanged", "signature_invalid", f"{head}.{other}.{signature}")
case("two parts", "token_malformed", f"{head}.{body}")
case("four parts", "token_malformed", f"{good}.{signature}")
case("five parts (JWE)", "token_malformed", f"{good}.{signature}.{signature}")
case("padded", "token_malformed", f"{good}==")
case("empty", "token_malformed", "")
case("dots only", "token_malformed", "..")
case("standard base64 alphabet", "token_malformed", f"{head}.{body}.{signature[:-4]}+/+/")
case("white space inside", "token_malformed", f"{head}.{body}.{signature[:20]} {signature[20:]}")
case("white space behind", "token_malformed", f"{good} ")
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
tail = alphabet[alphabet.index(signature[-1]) | 1]
case("a second spelling of the last byte", "token_malformed" if tail != signature[-1] else "ok",
     f"{head}.{body}.{signature[:-1]}{tail}")

for name, value in (("exp", "1800000800"), ("exp", -1), ("exp", None),
                    ("exp", 253402300800), ("exp", 2**64), ("exp", 1e300), ("iat", True),
                    ("nbf", "0"), ("nbf", {}), ("jti", ""), ("jti", "a b"), ("sub", 5),
                    ("sub", "a\r\nb"), ("aud", []), ("aud", {}), ("scope", ["orders:read"]),
                    ("scope", ""), ("breakglass", "x"), ("cnf", {"jkt": "x"}), ("cnf", {})):
    case(f"claim {name} {json.dumps(value)}", "claim_invalid",
         token("ES256", claims={**CLAIMS, name: value}))
case("claim exp 1800000800.5", "ok", token("ES256", claims={**CLAIMS, "exp": 1800000800.5}))
for name in ("iss", "sub", "aud", "iat", "exp", "jti", "scope", "breakglass"):
    case(f"claim {name} missing", "claim_missing",
         token("ES256", claims={k: v for k, v in CLAIMS.items() if k != name}))
case("iss of somebody else", "issuer_unknown",
     token("ES256", claims={**CLAIMS, "iss": "https://issuer.example/"}))
case("aud of another environment", "audience_mismatch",
     token("ES256", claims={**CLAIMS, "aud": ["payments-dev"]}))
case("aud of two environments", "ok",
     token("ES256", claims={**CLAIMS, "aud": ["payments-dev", "payments-prod"]}))
case("aud a string", "ok", token("ES256", claims={**CLAIMS, "aud": "payments-prod"}))
case("lifetime of an hour and a second", "lifetime_exceeded",
     token("ES256", claims={**CLAIMS, "exp": CLAIMS["iat"] + 3601}))
case("lifetime of an hour", "ok", token("ES256", claims={**CLAIMS, "exp": CLAIMS["iat"] + 3600}))
case("expired", "token_expired", token("ES256", claims={**CLAIMS, "exp": 1799999995}))
case("expired within the skew", "ok", token("ES256", claims={**CLAIMS, "exp": 1799999996}))
case("exp before iat", "token_expired", token("ES256", claims={**CLAIMS, "iat": 1800000005, "exp": 1800000004}))
case("nbf in the future", "token_not_yet_valid", token("ES256", claims={**CLAIMS, "nbf": 1800000006}))
case("nbf within the skew", "ok", token("ES256", claims={**CLAIMS, "nbf": 1800000005}))
case("iat in the future", "token_not_yet_valid", token("ES256", claims={**CLAIMS, "iat": 1800000006}))

print(json.dumps({"now": 1800000000, "jwks": {"keys": KEYS}, "tests": TESTS}, indent=1))
