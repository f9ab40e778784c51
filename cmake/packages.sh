# SPDX-License-Identifier: MIT
# Sourced by tests/run.sh and examples/quickstart.sh: packages by their Debian names, installed only when missing.

# What building and running the daemon takes.
BUILD_PACKAGES="build-essential cmake ninja-build pkg-config libssl-dev libsqlite3-dev liblua5.4-dev libevent-dev
	librdkafka-dev"

# need_packages NAME...: installs those that are missing; asks apt for nothing when there are none.
need_packages() {
	local package missing=()
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	echo "installing: ${missing[*]}"
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if ! sudo -n true 2>/dev/null; then
			echo "missing packages; as root: apt-get install ${missing[*]}" >&2
			return 1
		fi
		as_root=(sudo -n)
	fi
	"${as_root[@]}" apt-get update -qq &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			-o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
}
