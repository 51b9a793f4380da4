#!/bin/bash
# The main job, shown on the stack: ends with 0 only if every step gave what it should.
set -euo pipefail
people=/var/lib/breakglass-people
export BREAKGLASS_URL=https://approvals:8300 BREAKGLASS_CA_FILE=$people/ca.crt

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# call METHOD PATH [HEADER]...: sends a request; leaves $status and $body.
call() {
  local method=$1 path=$2 header line shown=
  shift 2
  for header in "$@"; do
    case $header in
      x-breakglass-token:*) shown+=" -H 'x-breakglass-token: \$TOKEN'" ;;
      *) shown+=" -H '$header'" ;;
    esac
  done
  exec 3<>/dev/tcp/gate/10000
  {
    printf '%s %s HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n' "$method" "$path"
    [ $# -eq 0 ] || printf '%s\r\n' "$@"
    printf '\r\n'
  } >&3
  read -r _ status _ <&3
  while read -r line <&3 && [ "${line%$'\r'}" != '' ]; do :; done
  body=$(cat <&3)
  exec 3>&-
  printf '   $ curl -X %s%s http://gate:10000%s\n   %s %s\n' "$method" "$shown" "$path" "$status" "$body"
}

# expect STATUS [TEXT]: what the last call must have brought.
expect() {
  [ "$status" = "$1" ] || die "expected status $1, got $status"
  [[ $body == *"${2:-}"* ]] || die "expected \`$2\` in the body"
}

as() { breakglass "${@:2}" --api-token-file "$people/$1.token"; }

step() { printf '\n%s\n' "$*"; }

step '1. Without a token the normal controls decide.'
call GET /v1/orders/17
expect 403 RBAC
call GET /v1/orders/17 'x-role: orders-admin' 'x-breakglass-subject: mallory'
expect 200 '"subject":null'

step '2. What is protected needs a permit.'
call GET /admin/users
expect 401 '"reason":"token_missing"'

step '3. Alice asks, bob reads what it opens and approves, alice gets the token.'
# The gate says what its scopes open when it polls for the first time.
for tries in {1..150}; do
  [[ $(as alice scopes --for 'GET /v1/orders/17' --json) != *'"same":1'[,}]* ]] || break
  [ "$tries" != 150 ] || die 'the gate did not say what its scopes open'
  sleep 0.1
done
request=$(as alice request --scope orders:read --reason 'payments are stuck' --incident INC-4711 --duration 10m)
if as alice approve "$request" --yes; then die 'alice approved her own request'; fi
shown=$(as bob approve "$request" --yes 2>&1 >/dev/null) || die "$shown"
printf '%s\n' "$shown"
[[ $shown == *'orders:read (read): GET, HEAD on /v1/orders,'* ]] || die 'bob is not shown what it opens'
token=$(as alice token "$request")

step '4. The permit opens what the normal controls refuse; the upstream sees who, and not the token.'
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 200 '"subject":"alice@example.com"'
expect 200 '"token":null'

step '5. It opens nothing else.'
call POST /v1/orders "x-breakglass-token: $token"
expect 403 '"reason":"out_of_scope"'
call DELETE /v1/ledger/2026 "x-breakglass-token: $token"
expect 403 '"reason":"ceiling"'

step '6. Bob revokes; every worker hears of it at once.'
as bob revoke "$request" --reason resolved --wait
call GET /v1/orders/17 "x-breakglass-token: $token"
expect 401 '"reason":"revoked"'

step 'Every step gave what it should.'
