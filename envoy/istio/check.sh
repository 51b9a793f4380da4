#!/bin/sh
# Whether an Envoy and the filter take the configuration of an overlay, before it is applied: every wrong
# field is named.
#
#   envoy/istio/check.sh OVERLAY MODULE.wasm
#
# OVERLAY is a folder with a kustomization, such as envoy/istio/sidecar; MODULE.wasm the module that its
# pods get. Takes kubectl and an Envoy, `envoy` or the one in $ENVOY: best the version of the mesh's
# proxies. What istiod does with the object is not seen here.
set -eu
[ $# -eq 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 3; }
[ -r "$2" ] || { echo "error: the module $2 cannot be read" >&2; exit 3; }
module=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kubectl kustomize "$1" >"$work/objects.yaml"
# The filter is the patch's value that has a root_id; it becomes the first HTTP filter of a proxy.
awk -v module="$module" '
  function flush() { if (block ~ /root_id: breakglass\n/) printf "%s", block; block = ""; inside = 0 }
  /^      value:$/ { flush(); inside = 1; first = 1; next }
  inside && /^        / {
    line = substr($0, 9)
    if (line ~ /filename: \/etc\/breakglass\/plugin.wasm$/) sub(/\/etc.*/, module, line)
    block = block (first ? "          - " : "            ") line "\n"; first = 0; next
  }
  { flush() }
  END { flush() }' "$work/objects.yaml" >"$work/filter.yaml"
[ -s "$work/filter.yaml" ] || { echo "error: $1 has no EnvoyFilter with breakglass" >&2; exit 1; }
{
  cat <<'HEAD'
static_resources:
  listeners:
  - name: check
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: check
          route_config: {name: check}
          http_filters:
HEAD
  cat "$work/filter.yaml"
  cat <<'TAIL'
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
TAIL
} >"$work/envoy.yaml"
BREAKGLASS_PROXY_TOKEN=${BREAKGLASS_PROXY_TOKEN:-any} "${ENVOY:-envoy}" --mode validate --config-path "$work/envoy.yaml"
