#!/bin/sh
# Envoy with envoy/envoy.yaml as it is shipped, but for the addresses, which are this network's, and
# the access log, which others can read.
set -eu
cp /etc/breakglass/envoy.yaml /tmp/envoy.yaml

# change OLD NEW: what must be there, once.
change() {
  [ "$(grep -cF "$1" /tmp/envoy.yaml)" = 1 ] || {
    echo "envoy.yaml must hold \`$1\` once" >&2
    exit 1
  }
  sed -i "s|$1|$2|" /tmp/envoy.yaml
}
change 'address: 127.0.0.1, port_value: 9901' 'address: 0.0.0.0, port_value: 9901'
change 'address: 127.0.0.1, port_value: 10000' 'address: 0.0.0.0, port_value: 10000'
change 'address: 127.0.0.1, port_value: 8080' 'address: upstream, port_value: 8080'
change 'address: 127.0.0.1, port_value: 8300' 'address: approvals, port_value: 8443'
change 'filename: dist/breakglass.wasm' 'filename: /etc/breakglass/plugin.wasm'
change 'path: /dev/stdout' 'path: /var/log/breakglass/access.log'

# The certificates that `prepare` has put into the volume of the proxy.
for secret in client authority; do
  sed 's|tls/|/var/lib/breakglass-proxy/tls/|; s|path: tls}|path: /var/lib/breakglass-proxy/tls}|' \
    "/etc/breakglass/certificates/$secret.yaml" >"/tmp/$secret.yaml"
  change "envoy/certificates/$secret.yaml" "/tmp/$secret.yaml"
done

BREAKGLASS_PROXY_TOKEN=$(cat /var/lib/breakglass-proxy/token)
export BREAKGLASS_PROXY_TOKEN
exec envoy --config-path /tmp/envoy.yaml --file-flush-interval-msec 100 --disable-hot-restart --log-level warning
