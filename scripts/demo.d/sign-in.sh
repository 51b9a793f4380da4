# The story of people who sign in at an identity provider, with two factors where it counts. Sourced by scripts/demo.

# --- the parts -------------------------------------------------------------------------------

# shellcheck source=scripts/demo.d/keycloak.sh
. scripts/demo.d/keycloak.sh

say 'starting Keycloak'
start_keycloak "$(scripts/fetch-keycloak)"
api_token proxy
certificates
# Where people reach the service is where Keycloak sends their browsers back to.
issuer=https://127.0.0.1:$approvals
# At the proxy too orders are read with a second factor alone, and one that is at most 20 s old.
envoy_configuration "$issuer"
register_service "$issuer"
second_factors

printf 's3cret-breakglass\n' >"$work/client-secret"
chmod 600 "$work/client-secret"
cat >"$work/approvals.toml" <<TOML
issuer = "$issuer"
database = "$work/approvals.db"
key_directory = "$work/keys"
definitions = ["definitions.json"]

$(listeners)

[[identity_providers]]
name = "corp"
issuer = "$keycloak/realms/corp"
client_id = "breakglass"
client_authentication = { secret_file = "$work/client-secret" }
groups_absent = "none"
may_approve = true

[identity_providers.levels.mfa]
acr_values = ["mfa"]
prompt = "login"
counts = { acr = ["mfa"], amr = ["otp"] }

[[scopes]]
name = "orders:read"
audience = "payments-prod"
requesters = ["/sre/payments"]
approvers = ["/approvers"]
max_duration = "1h"

# Asked for with a password; the token and the approval take a second factor.
[scopes.sign_in]
activation = { level = "mfa", max_age = "1m" }
approval = { level = "mfa", max_age = "5m" }
TOML
start_parts

# $BROWSER of each person.
for person in alice bob; do
  secret=${person}_secret
  cat >"$work/browser-$person" <<SH
#!/bin/sh
exec python3 "$root/scripts/demo.d/browser.py" $person $person-pw ${!secret} "\$1"
SH
  chmod 755 "$work/browser-$person"
done

# --- the story -------------------------------------------------------------------------------

# as PERSON COMMAND...: runs the command line as alice or bob, each with their own sessions and browser.
as() {
  local person=$1
  shift
  BROWSER="$work/browser-$person" XDG_CONFIG_HOME="$work/$person/config" XDG_STATE_HOME="$work/$person/state" \
    "$breakglass" "$@"
}

# tell PERSON COMMAND...: the same, shown with what it says.
tell() {
  local person=$1
  shift
  printf '   %s$ breakglass %s\n' "$person" "$(shown "$@")"
  as "$person" "$@" 2>&1 | tee "$work/told" | sed 's/^/   /'
}

# shown WORD...: as a person types them.
shown() {
  local word words=
  for word in "$@"; do
    [[ $word != *' '* ]] || word="'$word'"
    words+=" $word"
  done
  printf '%s' "${words# }"
}

# told TEXT: what the last command must have said.
told() { grep -qF -- "$1" "$work/told" || die "expected \`$1\`"; }

# refused PERSON COMMAND...: the same, for one that has to fail.
refused() {
  if tell "$@"; then die 'it was not refused'; fi
}

# not_enough PERSON COMMAND...: a stronger sign-in is asked for. On a terminal the command line would have the person sign in
# at once, and go on; here there is none, so it says by which command.
not_enough() {
  if tell "$@"; then die 'a password was enough'; fi
  told 'breakglass login'
  told '--level mfa'
}

say 'the story'

step 'Alice signs in: her browser gives her password to Keycloak, and the command line gets a session.'
tell alice login
told 'signed in until'
tell alice whoami
told '/sre/payments'

step 'So does bob. Who he is, and that he may approve, is what Keycloak says of him.'
tell bob login
told 'signed in until'

step 'Alice asks for access: her password is enough for that.'
tell alice request --scope orders:read --reason 'payments are stuck' --incident INC-4711 --duration 30m
request=$(sed -n 's/^asked as \([^;]*\);.*/\1/p' "$work/told")
[ -n "$request" ] || die 'the request did not arrive'

step 'Bob has read it and says yes: his password is not enough for that.'
not_enough bob approve "$request" --yes

step 'He signs in with his second factor, and approves.'
tell bob login --level mfa --max-age 5m
tell bob approve "$request" --yes

step "Alice's token takes a second factor too."
not_enough alice token "$request"
tell alice login --level mfa --max-age 1m
printf '   alice$ TOKEN=$(breakglass token %s)\n' "$request"
token=$(as alice token "$request" 2>"$work/token.err") || die 'alice got no token' "$(cat "$work/token.err")"

step 'It says how she signed in, and the proxy asks for that: a one-time code, at most 20 s ago.'
python3 -c '
import base64, json, sys
payload = sys.argv[1].split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
print("   the token:", json.dumps({name: claims.get(name) for name in ("sub", "acr", "amr", "auth_time")}))
sys.exit(claims.get("acr") != "mfa" or "otp" not in claims.get("amr", []))' "$token" || die 'the token does not say it'
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 200 '"subject": "corp:'
audited allow permit

step 'Half a minute later it is too long ago: the answer asks for a fresh one (RFC 9470).'
sleep 27
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 401 '"reason":"step_up_required"'
grep -qi '^www-authenticate: .*insufficient_user_authentication' "$work/headers" || die 'no challenge'

step 'She gives one, and takes the token anew: the grant is the same.'
tell alice login --level mfa --max-age 10s
token=$(as alice token "$request" 2>"$work/token.err") || die 'alice got no token' "$(cat "$work/token.err")"
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 200

step 'Bob revokes; the sessions are listed; alice signs out, and her session is worth nothing.'
tell bob revoke "$request" --reason resolved --wait
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 401 '"reason":"revoked"'
tell alice sessions
tell alice logout
if tell alice status; then die 'alice is still signed in'; fi

# What to try where it is left running.
to_try() {
  cat <<TEXT
  export BREAKGLASS_URL=$BREAKGLASS_URL BREAKGLASS_CA_FILE=$BREAKGLASS_CA_FILE
  dist/breakglass login            # alice with alice-pw, or bob with bob-pw
  python3 scripts/demo.d/browser.py --code $alice_secret   # the one-time code of alice
  python3 scripts/demo.d/browser.py --code $bob_secret     # that of bob
  dist/breakglass request --scope orders:read --reason 'a try' --duration 10m --wait
  dist/breakglass status
  curl -i -H "x-breakglass-token: \$TOKEN" http://127.0.0.1:$port/v1/orders/17
TEXT
}
