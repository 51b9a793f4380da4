# A real Keycloak with the realm `corp`, which scripts/fetch-keycloak made: alice, and bob who may approve, both with a second
# factor. Sourced by sign-in.sh.

alice_secret=DEADBEEFDEADBEEFDEAD
bob_secret=BEEFDEADBEEFDEADBEEF

# start_keycloak: leaves where it is in $keycloak.
start_keycloak() {
  local installed=$1 home=$work/keycloak kc_port management
  mkdir -p "$home/bin" "$home/data/h2"
  # Its script finds the others by its own place.
  cp "$installed/bin/kc.sh" "$home/bin/"
  cp "$installed/data/h2/keycloakdb.mv.db" "$home/data/h2/"
  ln -s "$installed"/{lib,conf,providers,themes} "$home/"
  kc_port=$(free_port)
  management=$(free_port)
  keycloak=http://127.0.0.1:$kc_port
  # exec: the process that is ended at the end is Java's.
  (
    export JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1
    exec "$home/bin/kc.sh" start --optimized --http-enabled=true --hostname-strict=false --http-host=127.0.0.1 \
      --http-port="$kc_port" --http-management-port="$management"
  ) >"$work/keycloak.log" 2>&1 &
  pids+=($!)
  patience=1800 wait_for Keycloak curl --silent --fail --max-time 2 "http://127.0.0.1:$management/health/ready"
}

# keycloak_admin METHOD PATH [BODY]: asks the interface of its administrators.
keycloak_admin() {
  local token arguments=(--silent --show-error --fail --max-time 30 --request "$1" --header 'content-type: application/json')
  token=$(curl --silent --show-error --fail --max-time 30 "$keycloak/realms/master/protocol/openid-connect/token" \
    --data 'grant_type=password&client_id=admin-cli&username=admin&password=admin' | member access_token)
  [ $# -lt 3 ] || arguments+=(--data "$3")
  curl "${arguments[@]}" --header "authorization: Bearer $token" "$keycloak/admin/realms/corp$2"
}

# register_service CALLBACK_PATH_PREFIX: the service is a client there, and comes back to these addresses.
register_service() {
  local client
  client=$(keycloak_admin GET '/clients?clientId=breakglass')
  client=$(python3 -c '
import json, sys
client = json.loads(sys.argv[1])[0]
client["redirectUris"] = [sys.argv[2]]
client["attributes"]["post.logout.redirect.uris"] = sys.argv[2]
print(json.dumps(client))' "$client" "$1/*")
  keycloak_admin PUT "/clients/$(member id <<<"$client")" "$client"
}

# second_factors: bob gets one, and a code may be used twice: the story does not wait half a minute for the next.
second_factors() {
  keycloak_admin PUT '' '{"otpPolicyType": "totp", "otpPolicyAlgorithm": "HmacSHA1", "otpPolicyDigits": 6,
    "otpPolicyPeriod": 30, "otpPolicyInitialCounter": 0, "otpPolicyLookAheadWindow": 1, "otpPolicyCodeReusable": true}'
  keycloak_admin POST /partialImport '{"ifResourceExists": "OVERWRITE", "users": [{"username": "bob", "enabled": true,
    "email": "bob@corp.example", "emailVerified": true, "firstName": "Bob", "lastName": "Baker", "groups": ["/approvers"],
    "credentials": [{"type": "password", "value": "bob-pw"}, {"type": "otp", "userLabel": "phone",
      "secretData": "{\"value\":\"'"$bob_secret"'\"}",
      "credentialData": "{\"subType\":\"totp\",\"digits\":6,\"counter\":0,\"period\":30,\"algorithm\":\"HmacSHA1\"}"}]}]}' \
    >/dev/null
}
