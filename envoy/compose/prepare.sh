#!/bin/bash
# Makes what the stack needs: what the scopes of the gate's configuration open, and new certificates, each time; and once an
# API token each for alice, bob and the proxy, and the service's configuration, which has their digests only.
set -euo pipefail
umask 077
config=/var/lib/breakglass-config/config.toml
definitions=/var/lib/breakglass-config/definitions.json
breakglass scopes import /etc/breakglass/envoy.yaml >"$definitions.part"
mv "$definitions.part" "$definitions"

# The authority stays where neither the service nor the gate sees it. A start signs for 90 days.
tls=/var/lib/breakglass-config/tls authority=/var/lib/breakglass-authority/ca
sign=(breakglass keygen certificates --out "$authority" --dns approvals.internal --dns approvals --dns 127.0.0.1 --proxy gate-1)
if [ -e "$authority/service.crt" ]; then
  "${sign[@]}" --renew >/dev/null
else
  # What a start left that was stopped.
  rm -rf "$authority"
  "${sign[@]}" >/dev/null
fi
# hand FROM.. TO: to the folder of a volume, each file whole.
hand() {
  local to=${*: -1} from
  mkdir -p "$to"
  for from in "${@:1:$#-1}"; do
    cp "$authority/$from" "$to/$from.part"
    mv "$to/$from.part" "$to/$from"
  done
}
hand service.key service.crt ca.crt "$tls"
hand gate-1.key gate-1.crt ca.crt /var/lib/breakglass-proxy/tls
hand ca.crt /var/lib/breakglass-people

# People at one listener, the gate with its client certificate at another, /metrics for this network at a third.
listeners() {
  local own="certificate_file = \"$tls/service.crt\"
key_file = \"$tls/service.key\""
  cat <<TOML

[tls]
$own

[[listeners]]
address = "0.0.0.0:8300"
serves = ["people"]

[[listeners]]
address = "0.0.0.0:8443"
serves = ["proxies"]
[listeners.tls]
$own
client_ca_file = "$tls/ca.crt"
client_certificates = "required"

[[listeners]]
address = "0.0.0.0:8301"
serves = ["metrics"]
insecure_http = true
TOML
}

if [ -e "$config" ]; then
  # One that was made before there were definitions.
  grep -q '^definitions = ' "$config" || sed -i '1i definitions = ["definitions.json"]' "$config"
  # One that was made before there was TLS: plain HTTP at the one address.
  if grep -q '^listen = ' "$config"; then
    {
      sed -e '/^listen = /d' -e 's/^name = "gate-1"$/&\ncertificate_san = "gate-1"/' "$config"
      listeners
    } >"$config.part"
    mv "$config.part" "$config"
  fi
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
certificate_san = "gate-1"
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
listeners >>"$config.part"
breakglass serve --check --config "$config.part" >/dev/null
mv "$config.part" "$config"
