#!/bin/bash
# Whether the approval service can do its work: the clock, and a database that can be written.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8300
printf 'GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
