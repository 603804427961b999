#!/bin/sh
# Makes what compose.yaml reads: passwords, the key of tokens, the users of Redis, and a certificate for localhost.
#   [SECRETS_FOLDER=folder] [SERVER_NAME=name] sh deploy/compose/make-secrets.sh [folder]
# A file that is there already stays, so that a second run changes nothing, and your own certificate or key is kept.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${SECRETS_FOLDER:-"$here/secrets"}}
name=${SERVER_NAME:-localhost}

# Nobody else of this machine gets into the folder. The files can be read, since the users in the containers are others.
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

random() { openssl rand -hex 32; }
sha256() { printf %s "$1" | openssl dgst -sha256 -r | cut -c1-64; }
# Runs the command that follows the name and keeps what it prints, whole or not at all.
keep() {
  [ -e "$folder/$1" ] && return
  target=$folder/$1
  shift
  "$@" >"$target.new"
  mv "$target.new" "$target"
  echo "made $target"
}

for secret in jwt_secret_key redis_gateway_password redis_worker_password redis_queue_password redis_operator_password \
  grafana_admin_password; do
  keep "$secret" random
done

password() { cat "$folder/redis_$1_password"; }
redis_users() {
  cat "$here/../redis/users.acl" "$here/users.acl" | sed \
    -e "s/GATEWAY_PASSWORD_SHA256/$(sha256 "$(password gateway)")/" \
    -e "s/WORKER_PASSWORD_SHA256/$(sha256 "$(password worker)")/" \
    -e "s/QUEUE_PASSWORD_SHA256/$(sha256 "$(password queue)")/" \
    -e "s/OPERATOR_PASSWORD_SHA256/$(sha256 "$(password operator)")/"
}
keep redis_users redis_users
keep worker_queue_url printf 'redis://queue:%s@redis:6379/0\n' "$(password queue)"
keep worker_events_url printf 'redis://worker:%s@redis:6379/0\n' "$(password worker)"

if [ ! -e "$folder/tls_certificate" ] && [ ! -e "$folder/tls_key" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name,IP:127.0.0.1" \
    -keyout "$folder/tls_key" -out "$folder/tls_certificate" 2>/dev/null
  chmod 644 "$folder/tls_key"
  echo "made $folder/tls_certificate, for $name, signed by itself: browsers warn of it until you put your own there"
fi
