# What every story of the demonstration has: the parts that run, and how a step is taken and judged. Sourced by scripts/demo.

# --- the parts -------------------------------------------------------------------------------

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# member NAME: a member of the JSON object on stdin.
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
  local what=$1 tries
  shift
  for tries in $(seq "${patience:-150}"); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  die "$what did not come up" "its log is above; tried $tries times"
}

# api_token NAME...: an API token each, in a file; the service's configuration has digests only: NAME_sha256.
api_token() {
  local name made
  for name in "$@"; do
    made=$("$breakglass" keygen api-token --json 2>/dev/null)
    member token <<<"$made" >"$work/$name.token"
    declare -g "${name}_sha256=$(member token_sha256 <<<"$made")"
  done
  chmod 600 "$work"/*.token
}

# An authority, and by it the service's certificate (for Envoy by name, for people by address) and Envoy's own.
certificates() {
  "$breakglass" keygen certificates --out "$work/tls" --dns approvals.internal --dns 127.0.0.1 --proxy gate-1 \
    >/dev/null 2>"$work/certificates.log" || die 'no certificates could be made' "$(cat "$work/certificates.log")"
}

# envoy_configuration [ISSUER]: envoy.yaml; with an issuer one whose orders ask for a second factor. What its scopes open
# goes into definitions.json, for the people who approve them.
envoy_configuration() {
  python3 scripts/demo.d/envoy.py "$work" "$port" "$admin" "$upstream" "$proxies" "$@"
  "$breakglass" scopes import "$work/envoy.yaml" >"$work/definitions.json"
}

# listeners: what every configuration of the service has: for people, and for the proxy by its certificate.
listeners() {
  cat <<TOML
[tls]
certificate_file = "$work/tls/service.crt"
key_file = "$work/tls/service.key"

[[listeners]]
address = "127.0.0.1:$approvals"
serves = ["people"]

[[listeners]]
address = "127.0.0.1:$proxies"
serves = ["proxies"]
[listeners.tls]
certificate_file = "$work/tls/service.crt"
key_file = "$work/tls/service.key"
client_ca_file = "$work/tls/ca.crt"
client_certificates = "required"

[[proxies]]
name = "gate-1"
certificate_san = "gate-1"
token_sha256 = "$proxy_sha256"
audiences = ["payments-prod"]

TOML
}

# sink: what has the service tell a receiver of webhooks, which start_receiver starts, of requests and alerts.
sink() {
  cat <<TOML
[[sinks]]
name = "oncall"
type = "webhook"
url = "http://127.0.0.1:$receiver/"
secret_files = ["$work/webhook.secret"]
types = ["breakglass.request.submitted", "breakglass.alert.*"]
TOML
}

# start_receiver: a receiver of webhooks, which knows the secret of its sink.
start_receiver() {
  python3 -c 'import base64, secrets; print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())' >"$work/webhook.secret"
  chmod 600 "$work/webhook.secret"
  : >"$work/heard"
  python3 scripts/demo.d/receiver.py "$receiver" "$work/webhook.secret" "$work/heard" 2>"$work/receiver.log" &
  pids+=($!)
}

# start_parts: the approval service by approvals.toml, the upstream, and Envoy.
start_parts() {
  "$breakglass" serve --config "$work/approvals.toml" --ready-file "$work/ready" 2>"$work/service.log" &
  pids+=($!)
  wait_for 'the approval service' test -s "$work/ready"
  export BREAKGLASS_URL=https://127.0.0.1:$approvals BREAKGLASS_CA_FILE=$work/tls/ca.crt

  python3 scripts/demo.d/upstream.py "$upstream" 2>"$work/upstream.log" &
  pids+=($!)

  BREAKGLASS_PROXY_TOKEN=$(cat "$work/proxy.token") "$envoy" --config-path "$work/envoy.yaml" \
    --concurrency 1 --use-dynamic-base-id --file-flush-interval-msec 20 \
    >"$work/access.log" 2>"$work/envoy.log" &
  pids+=($!)
  wait_for Envoy curl --silent --fail --max-time 1 "http://127.0.0.1:$admin/ready"
}

# --- a step ----------------------------------------------------------------------------------

steps=0
step() {
  steps=$((steps + 1))
  printf '\n%d. %s\n' "$steps" "$*"
}

# call METHOD PATH [HEADER]...: sends a request; leaves $status and $body.
call() {
  local method=$1 path=$2 shown="" header
  local arguments=(--silent --show-error --max-time 10 --request "$method" --output "$work/body" --dump-header "$work/headers" --write-out '%{http_code}')
  shift 2
  for header in "$@"; do
    arguments+=(--header "$header")
    case $header in
      x-breakglass-token:*) shown+=" -H 'x-breakglass-token: \$TOKEN'" ;;
      *) shown+=" -H '$header'" ;;
    esac
  done
  status=$(curl "${arguments[@]}" "http://127.0.0.1:$port$path")
  body=$(cat "$work/body")
  printf '   $ curl -X %s%s http://127.0.0.1:%s%s\n   %s %s\n' "$method" "$shown" "$port" "$path" "$status" "$body"
}

# expect STATUS [TEXT]...: what the last call must have brought, and what its body must hold.
expect() {
  local wanted=$1 text
  shift
  [ "$status" = "$wanted" ] || die "expected status $wanted, got $status"
  for text in "$@"; do
    [[ $body == *"$text"* ]] || die "expected \`$text\` in the body"
  done
}

# audited DECISION REASON: the last audit record must say so; prints it.
audited() {
  local tries
  for tries in $(seq 100); do
    if python3 scripts/demo.d/audited.py "$work/access.log" "$1" "$2"; then return; fi
    sleep 0.05
  done
  die "no audit record that says $1 $2 came after $tries looks"
}

# heard TYPE SUBJECT: the receiver must hear of such an event about this person; prints it.
heard() {
  local tries
  for tries in $(seq 100); do
    if python3 scripts/demo.d/heard.py "$work/heard" "$1" "$2"; then return; fi
    sleep 0.05
  done
  die "the receiver heard of no $1 after $tries looks"
}
