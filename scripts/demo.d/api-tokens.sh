# The story with API tokens: it needs nothing but the service. Sourced by scripts/demo.

# --- the parts -------------------------------------------------------------------------------

api_token alice bob carol proxy
certificates
# Its orders need a role, or a permit.
envoy_configuration
start_receiver

cat >"$work/approvals.toml" <<TOML
issuer = "https://approvals.internal"
database = "$work/approvals.db"
key_directory = "$work/keys"
auditors = ["security"]
definitions = ["definitions.json"]

$(listeners)

[[people]]
name = "alice@example.com"
token_sha256 = "$alice_sha256"
groups = ["oncall"]
roles = ["oncall"]

[[people]]
name = "bob@example.com"
token_sha256 = "$bob_sha256"
groups = ["incident-commanders"]

[[people]]
name = "carol@example.com"
token_sha256 = "$carol_sha256"
groups = ["security"]

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

$(sink)
TOML
start_parts

# --- the story -------------------------------------------------------------------------------

# as PERSON COMMAND...: runs the command line as one of the three.
as() {
  local person=$1
  shift
  "$breakglass" "$@" --api-token-file "$work/$person.token"
}

# grant DURATION REASON: alice asks, bob approves; leaves $token and $request.
grant() {
  local incident=INC-4711 tries
  printf "   alice\$ TOKEN=\$(breakglass request --scope orders:read --reason '%s' --incident %s --duration %s --wait)\n" "$2" "$incident" "$1"
  as alice request --scope orders:read --reason "$2" --incident "$incident" --duration "$1" --wait \
    >"$work/token" 2>"$work/request.err" &
  local waiting=$!
  for tries in $(seq 100); do
    request=$(sed -n 's/^asked as \([^;]*\);.*/\1/p' "$work/request.err")
    [ -z "$request" ] || break
    sleep 0.05
  done
  [ -n "$request" ] || die 'the request did not arrive' "$(cat "$work/request.err")"
  printf '   bob$   breakglass approve %s --yes\n' "$request"
  as bob approve "$request" --yes 2>&1 | tee "$work/approve" | sed 's/^/   /'
  wait "$waiting" || die 'alice got no token' "$(cat "$work/request.err")"
  sed 's/^/   /' "$work/request.err"
  token=$(cat "$work/token")
  [[ $token =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] || die 'stdout is not the token alone'
}

say 'the story'

step 'Traffic without a token is not touched; here the normal controls refuse it or let it pass.'
call GET /v1/orders/17
expect 403 RBAC
call GET /v1/orders/17 'x-role: orders-admin' 'x-breakglass-subject: mallory'
expect 200 '"subject": null'

step 'What is protected needs a permit, however the path is spelt; a header that claims one is nothing.'
call GET /Admin/../admin/users 'x-breakglass-decision: allow'
expect 401 '"reason":"token_missing"'
audited deny token_missing

step 'Alice looks for the scope that she needs: its rules, which the proxy says that it has.'
for_orders=(scopes --for 'GET /v1/orders/17')
# The proxy says it when it polls for the first time.
have_said() { as alice "${for_orders[@]}" --json | grep -q '"same":1[,}]'; }
wait_for "the proxy's word for what its scopes open" have_said
printf "   alice\$ breakglass scopes --for 'GET /v1/orders/17'\n"
as alice "${for_orders[@]}" 2>&1 | tee "$work/scopes" | sed 's/^/   /'
opens='orders:read (read): GET, HEAD on /v1/orders, /v1/orders/{id}, /v1/orders/{id}/items/**'
grep -qF "$opens" "$work/scopes" || die "expected \`$opens\`"

step 'Alice asks, bob reads what it opens and approves these rules, alice gets a token.'
grant 30m 'payments are stuck'
grep -qF "$opens" "$work/approve" || die "bob is not shown \`$opens\`"
if as alice approve "$request" --yes 2>"$work/self.err"; then die 'alice approved her own request'; fi

step 'The permit opens what the normal controls refuse; the upstream sees who, and not the token.'
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 200 '"subject": "alice@example.com"' '"upstream_saw": ["x-breakglass-grant", "x-breakglass-subject"]'
audited allow permit
digest=$(as bob status "$request" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["rules"][0]["digest"])')
grep -qF "\\\"scope_digest\\\":\\\"$digest\\\"" "$work/access.log" || die 'the record does not name the rules that bob approved'

step 'Out of scope: the answer names what the grant covers, and the command that asks for more.'
call POST /v1/orders "x-breakglass-token: $token"
expect 403 '"reason":"out_of_scope"' '"scope":"orders:read"' "breakglass request --scope orders:read --scope orders:write"
audited deny out_of_scope

step 'The proxy reports it at once: carol sees whose word it is, and who is on call has heard of both, the request and the alert.'
reported_out_of_scope() { as carol audit alerts --kind out_of_scope 2>/dev/null | grep -q 'out_of_scope  reported by gate-1 '; }
wait_for 'the alert of the proxy' reported_out_of_scope
printf '   carol$ breakglass audit alerts --kind out_of_scope\n'
as carol audit alerts --kind out_of_scope | tee "$work/alerts" | sed 's/^/   /'
grep -q ' of alice@example.com  in payments-prod  for INC-4711 .*POST .* /v1/orders ' "$work/alerts" || die 'the alert does not say what alice tried'
heard breakglass.request.submitted alice@example.com
heard breakglass.alert.out_of_scope alice@example.com

step 'The ceiling: no grant reaches it.'
call DELETE /v1/ledger/2026 "x-breakglass-token: $token"
expect 403 '"reason":"ceiling"'
audited deny ceiling

step 'A path that can be read in two ways is never guessed.'
call GET '/v1/orders/17;x=1' "x-breakglass-token: $token"
expect 400 '"reason":"ambiguous_path"'
audited deny ambiguous_path

step 'A forged token.'
call GET /v1/orders/17 "x-breakglass-token: ${token%?????}AAAAA"
expect 401 '"reason":"signature_invalid"'
audited deny signature_invalid

step 'Bob revokes; every worker hears of it at once from the feed, and what runs under it is cut.'
printf "   bob\$   breakglass revoke %s --reason 'resolved' --wait\n" "$request"
as bob revoke "$request" --reason resolved --wait 2>&1 | sed 's/^/   /'
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 401 '"reason":"revoked"'
audited deny revoked

step 'A grant ends by itself (5 s of clock skew later).'
grant 3s 'a short look'
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 200
sleep 9
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 401 '"reason":"token_expired"'
audited deny token_expired

step 'What was counted.'
counted() { curl --silent "http://127.0.0.1:$admin/stats/prometheus" | grep '^breakglass_decision{'; }
counted | sed 's/^/   /'
for reason in permit out_of_scope ceiling revoked token_expired; do
  counted | grep -q "reason=\"$reason\"" || die "$reason was not counted"
done

step 'Carol audits: nothing is missing in the log, and nothing was changed.'
verify=(audit verify "$work/access.log" --heads "$BREAKGLASS_URL")
printf '   carol$ breakglass audit verify access.log --heads %s\n' "$BREAKGLASS_URL"
# Where a chain ends is reported every four seconds.
wait_for 'the report of where the log ends' as carol "${verify[@]}"
as carol "${verify[@]}" 2>&1 | sed 's/^/   /'

step 'Somebody takes a line out: the check says which is missing.'
grep -v '\\"reason\\":\\"ceiling\\"' "$work/access.log" >"$work/tampered.log"
if as carol audit verify "$work/tampered.log" --heads "$BREAKGLASS_URL" >"$work/verdict"; then
  die 'the missing line was not found'
fi
sed 's/^/   /' "$work/verdict"
grep -q INCOMPLETE "$work/verdict" || die 'the check does not say that the log is incomplete'

# What to try where it is left running.
to_try() {
  cat <<TEXT
  export BREAKGLASS_URL=$BREAKGLASS_URL BREAKGLASS_CA_FILE=$BREAKGLASS_CA_FILE
  dist/breakglass request --scope orders:read --reason 'a try' --duration 10m --wait --api-token-file $work/alice.token
  dist/breakglass status --api-token-file $work/bob.token
  curl -i -H "x-breakglass-token: \$TOKEN" http://127.0.0.1:$port/v1/orders/17
TEXT
}
