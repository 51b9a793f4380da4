#!/bin/bash
# Whether the approval service can do its work: the clock, and a database that can be written.
set -euo pipefail
# At the stack's listener of plain HTTP, which serves /metrics and this; or at the one address of a configuration without TLS.
{ exec 3<>/dev/tcp/127.0.0.1/8301; } 2>/dev/null || exec 3<>/dev/tcp/127.0.0.1/8300
printf 'GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
