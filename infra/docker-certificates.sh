#!/usr/bin/env bash
# Makes the certificates with which the canary and a Docker daemon know each other: a CA of their own, a certificate for
# the daemon, and one for the canary. See docs/operations.md.
set -euo pipefail
umask 077

CA_DAYS=3650
SERVER_DAYS=730
CLIENT_DAYS=365

usage() {
  cat <<END
usage: infra/docker-certificates.sh FOLDER NAME...
         makes a CA, a certificate for daemons that are called by these names or IP addresses, and one for the canary
       infra/docker-certificates.sh --renew-server FOLDER [NAME...]
       infra/docker-certificates.sh --renew-client FOLDER
         makes that one again with the CA in FOLDER; ca.pem and ca-key.pem have to be there. The daemons' certificate keeps
         its names; where names are given, they have to be all of those and any new ones
END
}

fail() {
  echo "docker-certificates: $1" >&2
  exit 1
}

misused() {
  echo "docker-certificates: $1" >&2
  usage >&2
  exit 2
}

# Prints what subjectAltName calls it: DNS:db.example.com or IP:10.0.0.5.
alternative_name() {
  local name=$1 part='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])' label='[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?'
  if [[ $name =~ ^$part(\.$part){3}$ || $name =~ ^[0-9A-Fa-f:]+$ && $name == *:*:* ]]; then
    echo "IP:$name"
  elif [[ $name =~ ^$label(\.$label)*$ && ! $name =~ ^[0-9.]+$ ]]; then
    echo "DNS:$name"
  else
    misused "$name is neither a host's name nor an IP address: give it as it stands in DOCKER_HOSTS (dockerHosts), without tcp:// and port"
  fi
}

alternative_names() {
  local name list=
  for name in "$@"; do list+=,$(alternative_name "$name") || exit $?; done
  echo "${list#,}"
}

# Prints what a certificate calls its names, one a line, in the form of alternative_name. Their spelling is openssl's.
names_in() {
  openssl x509 -in "$1" -noout -text | sed -n '/Subject Alternative Name/{n;p;}' | tr ',' '\n' |
    sed 's/^ *//; s/^IP Address:/IP:/' | tr '[:upper:]' '[:lower:]' | sed 's/^dns:/DNS:/; s/^ip:/IP:/'
}

# A daemon whose name is dropped would be refused by the canary. The new one is compared, so that both are spelled alike.
require_old_names() {
  local old new name missing=
  [ -f "$folder/server-cert.pem" ] || return 0
  old=$(names_in "$folder/server-cert.pem")
  new=$(names_in "$making/server-cert.pem")
  for name in $old; do
    grep -qxF -e "$name" <<<"$new" || missing+=" ${name#*:}"
  done
  [ -z "$missing" ] ||
    fail "the certificate in $folder is also for$missing: give all names that stand in DOCKER_HOSTS (dockerHosts), or none \
to keep those that it has. To drop one on purpose, move $folder/server-cert.pem away first. Nothing was changed"
}

# openssl says a lot when all is well, and must be heard when not.
quietly() {
  "$@" 2>"$making/openssl.log" || {
    cat "$making/openssl.log" >&2
    fail "openssl could not do it; nothing was changed in $folder"
  }
}

new_key() {
  quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

make_ca() {
  new_key "$making/ca-key.pem"
  cat >"$making/ca.cnf" <<END
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = trinity-canary docker CA
[extensions]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
END
  quietly openssl req -x509 -new -sha256 -days "$CA_DAYS" -config "$making/ca.cnf" \
    -key "$making/ca-key.pem" -out "$making/ca.pem"
}

# sign CA_FOLDER CERTIFICATE KEY DAYS COMMON_NAME EXTENSION...
sign() {
  local ca=$1 certificate=$2 key=$3 days=$4 common_name=$5
  shift 5
  new_key "$making/$key"
  printf '[req]\nprompt = no\ndistinguished_name = name\n[name]\nCN = %s\n' "$common_name" >"$making/request.cnf"
  printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' "$@" \
    >"$making/extensions.cnf"
  quietly openssl req -new -sha256 -config "$making/request.cnf" -key "$making/$key" -out "$making/request.csr"
  quietly openssl x509 -req -sha256 -days "$days" -in "$making/request.csr" -extfile "$making/extensions.cnf" \
    -CA "$ca/ca.pem" -CAkey "$ca/ca-key.pem" -set_serial "0x$(openssl rand -hex 16)" -out "$making/$certificate"
}

make_server() {
  sign "$1" server-cert.pem server-key.pem "$SERVER_DAYS" "trinity docker daemon" \
    'extendedKeyUsage = serverAuth' "subjectAltName = $names"
}

make_client() {
  sign "$1" cert.pem key.pem "$CLIENT_DAYS" trinity-canary 'extendedKeyUsage = clientAuth'
}

# All that was asked for is made by now: it only changes its place.
keep() {
  local file
  for file in "$@"; do
    case $file in
      *key.pem) chmod 400 "$making/$file" ;;
      *) chmod 444 "$making/$file" ;;
    esac
  done
  for file in "$@"; do mv -f "$making/$file" "$folder/$file"; done
}

require_ca() {
  local days=$1 file
  for file in ca.pem ca-key.pem; do
    [ -f "$folder/$file" ] ||
      fail "there is no $folder/$file: bring it back from where the CA is kept, or make everything again in another folder"
  done
  openssl x509 -in "$folder/ca.pem" -noout -checkend $((days * 86400)) >/dev/null ||
    fail "the CA in $folder ends before a certificate of $days days would: make everything again in another folder"
}

until_when() {
  openssl x509 -in "$folder/$1" -noout -enddate | cut -d= -f2
}

tell_server() {
  cat <<END
On each daemon's host (server-cert.pem until $(until_when server-cert.pem), for $names):
  $folder/ca.pem, server-cert.pem and server-key.pem, the key readable for root only; then restart dockerd
END
}

tell_client() {
  cat <<END
In the canary's secret (cert.pem until $(until_when cert.pem)):
  DOCKER_TLS_CA    the text of $folder/ca.pem
  DOCKER_TLS_CERT  the text of $folder/cert.pem
  DOCKER_TLS_KEY   the text of $folder/key.pem; anyone who has it is root on the daemon's host
END
}

tell_ca() {
  cat <<END
Offline, and nowhere else (the CA is good until $(until_when ca.pem)):
  $folder/ca-key.pem; anyone who has it can make a client certificate of their own
END
}

mode='make'
case ${1-} in
  -h | --help) usage && exit 0 ;;
  --renew-server) mode=server && shift ;;
  --renew-client) mode=client && shift ;;
  -*) misused "there is no option $1" ;;
esac
[ -n "${1-}" ] || misused "no folder is given"
folder=${1%/}
folder=${folder:-/}
shift
case $mode in
  client) [ $# -eq 0 ] || misused "--renew-client takes a folder and nothing else" ;;
  server) ;;
  *) [ $# -gt 0 ] || misused "no name of a daemon is given: give those that stand in DOCKER_HOSTS (dockerHosts)" ;;
esac
names=$(alternative_names "$@")
command -v openssl >/dev/null || fail "openssl is not installed"

if [ "$mode" = make ]; then
  for file in ca.pem ca-key.pem server-cert.pem server-key.pem cert.pem key.pem; do
    [ ! -e "$folder/$file" ] || fail "$folder/$file is there already: give another folder, or renew what is in this one"
  done
  mkdir -p "$folder"
else
  [ -d "$folder" ] || fail "there is no folder $folder"
  days=$CLIENT_DAYS
  [ "$mode" = client ] || days=$SERVER_DAYS
  require_ca "$days"
fi
if [ "$mode" = server ] && [ -z "$names" ]; then
  [ -f "$folder/server-cert.pem" ] ||
    misused "there is no $folder/server-cert.pem to take the names from: give those that stand in DOCKER_HOSTS (dockerHosts)"
  names=$(names_in "$folder/server-cert.pem" | paste -sd, -)
fi
making=$(mktemp -d "$folder/.making.XXXXXX")
trap 'rm -rf "$making"' EXIT

case $mode in
  make)
    make_ca
    make_server "$making"
    make_client "$making"
    keep ca-key.pem ca.pem server-key.pem server-cert.pem key.pem cert.pem
    tell_server
    tell_client
    tell_ca
    ;;
  server)
    make_server "$folder"
    require_old_names
    keep server-key.pem server-cert.pem
    tell_server
    ;;
  client)
    make_client "$folder"
    keep key.pem cert.pem
    tell_client
    ;;
esac
