# Debian packages, named once. Sourced by run.sh, test.sh and bench.sh.

build_packages=(
  g++ cmake ninja-build pkg-config
  libfuse3-dev fuse3 libpq-dev libxxhash-dev libssl-dev libcli11-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev libmagic-dev libcurl4-openssl-dev
  postgresql postgresql-contrib
)
test_packages=(
  libgtest-dev python3 attr acl rsync sqlite3 git make tar diffutils xxhash procps strace
  chromium pgbouncer
)
# The S3 server of the tests, from npm; these are installed only where there is no npm at all.
s3_server=s3rver@3.7.1
s3_server_packages=(nodejs npm)

# Only promtool is taken out of it: the package starts a service.
promtool_package=prometheus

say() { echo "== $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2
}

# Debian makes and starts a cluster of its own when the server is first installed. TuskFS has no use
# for it, so it is told not to for as long as the installation takes.
install_postgresql() {
  local conf=/etc/postgresql-common/createcluster.conf
  apt_install postgresql-common
  as_root cp -a "$conf" "$conf.tuskfs"
  echo 'create_main_cluster = false' | as_root tee -a "$conf" >/dev/null
  local status=0
  apt_install postgresql || status=$?
  as_root mv "$conf.tuskfs" "$conf"
  return "$status"
}

install_missing() {
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} = 0 ]; then
    say "all packages are installed"
    return
  fi
  say "installing ${missing[*]}"
  as_root apt-get update >&2
  if [[ " ${missing[*]} " == *" postgresql "* ]]; then install_postgresql; fi
  apt_install "${missing[@]}"
}

# install_s3_server FOLDER
install_s3_server() {
  if [ -x "$1/node_modules/.bin/s3rver" ]; then return; fi
  command -v npm >/dev/null || install_missing "${s3_server_packages[@]}"
  say "installing $s3_server into $1"
  npm install --prefix "$1" --no-audit --no-fund --no-save "$s3_server" >&2
}

# pgTAP for the newest server that is installed.
install_pgtap() {
  local major
  major=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
  install_missing "postgresql-$major-pgtap" libtap-parser-sourcehandler-pgtap-perl
}

# install_promtool FOLDER
install_promtool() {
  if [ -x "$1/promtool" ] || command -v promtool >/dev/null; then return; fi
  say "taking promtool out of Debian's package $promtool_package"
  mkdir -p "$1"
  (
    cd "$1" &&
    apt-get download "$promtool_package" >&2 &&
    dpkg-deb --fsys-tarfile "$promtool_package"_*.deb | tar -x --strip-components=3 ./usr/bin/promtool &&
    rm "$promtool_package"_*.deb
  )
}

# Compilers of one job need up to 1.5 GB.
build_jobs() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  if [ "$memory" -lt 1 ]; then memory=1; fi
  echo $((cpus < memory ? cpus : memory))
}

ensure_fuse_device() {
  if [ -e /dev/fuse ]; then return; fi
  say "/dev/fuse is missing: loading the module"
  as_root modprobe fuse 2>/dev/null || as_root mknod -m 0666 /dev/fuse c 10 229 || true
  if [ ! -e /dev/fuse ]; then
    say "there is no /dev/fuse: a container needs --device /dev/fuse --cap-add SYS_ADMIN"
    return 1
  fi
}
