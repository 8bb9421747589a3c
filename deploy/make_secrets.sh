#!/bin/sh
# Makes the keys that compose.yaml names, in deploy/secrets. What is there already stays.
set -eu
cd "$(dirname "$0")"
mkdir -p -m 700 secrets
# Each container reads them as a user of its own, so it is the folder that keeps others out.
umask 022

random() {
    od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'
}

key=$(random 24)
test -e secrets/relay-api-key || printf 'kratos:%s\n' "$key" >secrets/relay-api-key
test -e secrets/relay-admin-key || printf 'me:operate:%s\n' "$(random 24)" >secrets/relay-admin-key
key=$(sed -n '1s/^kratos://p' secrets/relay-api-key)
test -e secrets/kratos-secrets.yml || cat >secrets/kratos-secrets.yml <<END
courier:
  http:
    request_config:
      auth:
        type: api_key
        config:
          name: X-Api-Key
          value: $key
          in: header
secrets:
  cookie:
    - $(random 16)
  cipher:
    - $(random 16)
END
