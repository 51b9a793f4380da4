"""Makes scope_digests.json: scopes as configurations have them, and the digests of their rules, by another program.

    pip install rfc8785==0.1.4 && python3 generate_scope_digests.py > scope_digests.json

The form of each is written by hand, as docs/scope-digests.md describes it. No digest may ever change: grants name them.
"""

import hashlib
import json

import rfc8785

# Scopes of version 0.1: those of envoy/envoy.yaml, and one with all that a scope could say then.
SCOPES = [
    (
        {"name": "orders:read", "methods": ["GET", "HEAD"],
         "paths": ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"], "redirects": "same_authority"},
        {"methods": ["GET", "HEAD"], "paths": ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"],
         "redirects": "same_authority", "v": 1},
    ),
    (
        {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"], "redirects": "same_authority",
         "require": {"roles": ["oncall"], "max_lifetime": "30m"}},
        {"methods": ["POST"], "paths": ["/v1/orders"], "redirects": "same_authority",
         "require": {"max_lifetime": "1800s", "roles": ["oncall"]}, "v": 1},
    ),
    (
        {"name": "admin:read", "methods": ["GET"], "paths": ["/admin/**"], "redirects": "same_authority",
         "require": {"roles": ["oncall"]}},
        {"methods": ["GET"], "paths": ["/admin/**"], "redirects": "same_authority",
         "require": {"roles": ["oncall"]}, "v": 1},
    ),
    (
        {"name": "everything", "hosts": ["Orders.Internal", "*.example.com"], "routes": ["orders", "billing"],
         "methods": ["PUT", "GET"], "paths": ["/v1/b", "/v1/a"], "upgrades": ["WebSocket"],
         "require": {"roles": ["sre", "oncall"], "amr": ["mfa"], "acr": ["aal2"], "max_auth_age": "15m",
                     "source_cidrs": ["10.0.0.0/8", "2001:0db8::/32"], "max_lifetime": "1500ms",
                     "sender_constrained": True},
         "on_unavailable": "deny", "cut": "finish", "drain": "20s", "max_stream": "1h", "redirects": "any",
         "request_body": "digest", "response_body": "none"},
        {"hosts": ["*.example.com", "orders.internal"], "max_stream": "3600s", "methods": ["GET", "PUT"],
         "on_unavailable": "deny", "paths": ["/v1/a", "/v1/b"],
         "require": {"acr": ["aal2"], "amr": ["mfa"], "max_auth_age": "900s", "max_lifetime": "1500ms",
                     "roles": ["oncall", "sre"], "sender_constrained": True,
                     "source_cidrs": ["10.0.0.0/8", "2001:db8::/32"]},
         "routes": ["billing", "orders"], "upgrades": ["websocket"], "v": 1},
    ),
    (
        {"name": "approved", "methods": ["GET"], "paths": ["/x"], "same_digest": True,
         "require": {"basis": ["pre_approved", "approved"], "approvals": 2}},
        {"methods": ["GET"], "paths": ["/x"], "require": {"approvals": 2, "basis": ["approved", "pre_approved"]}, "v": 2},
    ),
    (
        # Every basis is not any: a token must say one of them.
        {"name": "any", "methods": ["GET"], "paths": ["/x"],
         "require": {"basis": ["approved", "pre_approved", "emergency"]}},
        {"methods": ["GET"], "paths": ["/x"], "require": {"basis": ["approved", "emergency", "pre_approved"]}, "v": 2},
    ),
]

vectors = []
for scope, form in SCOPES:
    canonical = rfc8785.dumps(form)
    vectors.append({"scope": scope, "canonical": canonical.decode(), "digest": hashlib.sha256(canonical).hexdigest()})
print(json.dumps(vectors, indent=1))
