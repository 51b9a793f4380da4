#!/bin/bash
# Makes what the stack needs: what the scopes of the gate's configuration open, each time; and once an API token
# each for alice, bob and the proxy, and the service's configuration, which has their digests only.
set -euo pipefail
umask 077
config=/var/lib/breakglass-config/config.toml
definitions=/var/lib/breakglass-config/definitions.json
breakglass scopes import /etc/breakglass/envoy.yaml >"$definitions.part"
mv "$definitions.part" "$definitions"
if [ -e "$config" ]; then
  # One that was made before there were definitions.
  grep -q '^definitions = ' "$config" || sed -i '1i definitions = ["definitions.json"]' "$config"
  exit 0
fi

# member NAME: a member of one line of JSON with nothing but text in it, on stdin.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# keep FILE: makes a token, keeps it there, and prints its digest.
keep() {
  local made
  made=$(breakglass keygen api-token --json 2>/dev/null)
  member token <<<"$made" >"$1"
  member token_sha256 <<<"$made"
}

alice=$(keep /var/lib/breakglass-people/alice.token)
bob=$(keep /var/lib/breakglass-people/bob.token)
proxy=$(keep /var/lib/breakglass-proxy/token)

cat >"$config.part" <<TOML
listen = "0.0.0.0:8300"
issuer = "https://approvals.internal"
database = "/var/lib/breakglass/approvals.db"
key_directory = "/var/lib/breakglass/keys"
definitions = ["definitions.json"]

[[people]]
name = "alice@example.com"
token_sha256 = "$alice"
groups = ["oncall"]
roles = ["oncall"]

[[people]]
name = "bob@example.com"
token_sha256 = "$bob"
groups = ["incident-commanders"]

[[proxies]]
name = "gate-1"
token_sha256 = "$proxy"
audiences = ["payments-prod"]

[[scopes]]
name = "orders:read"
audience = "payments-prod"
requesters = ["oncall"]
approvers = ["incident-commanders"]
max_duration = "1h"

[[scopes]]
name = "orders:write"
audience = "payments-prod"
requesters = ["oncall"]
approvers = ["incident-commanders"]
max_duration = "30m"

[[scopes]]
name = "admin:read"
audience = "payments-prod"
requesters = ["oncall"]
approvers = ["incident-commanders"]
max_duration = "30m"
TOML
breakglass serve --check --config "$config.part" >/dev/null
mv "$config.part" "$config"
