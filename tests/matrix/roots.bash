# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# roots.bash - Debian releases as directories to chroot into. Bases are made once and kept outside the source tree, in
# $MATRIX_CACHE; a run gets a fresh copy. Sourced by tests/matrix/run, which is root by then.

MATRIX_CACHE=${MATRIX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/forkheld-matrix}

# debian_mirror - where this machine gets Debian from, by what apt is configured with; $MATRIX_MIRROR goes first.
debian_mirror() {
	if [ -n "${MATRIX_MIRROR:-}" ]; then
		echo "$MATRIX_MIRROR"
		return
	fi
	{
		cat /etc/apt/sources.list.d/*.sources | sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p'
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list |
			sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p'
	} 2>/dev/null | grep -E '/debian/?$' | head -n 1
}

# base_of RELEASE - debootstrap it, unless that was done before; prints the directory.
base_of() {
	local base=$MATRIX_CACHE/base-$1 mirror script=/usr/share/debootstrap/scripts/$1
	if [ ! -f "$base.complete" ]; then
		mirror=$(debian_mirror)
		[ -n "$mirror" ] || { echo "no Debian mirror in apt's configuration; name one in MATRIX_MIRROR" >&2; return 1; }
		[ -f "$script" ] || script=/usr/share/debootstrap/scripts/sid
		rm -rf --one-file-system "$base"
		mkdir -p "$base"
		debootstrap --variant=minbase "$1" "$base" "$mirror" "$script" >"$base.log" 2>&1 ||
			{ tail -n 5 "$base.log" >&2; return 1; }
		touch "$base.complete"
	fi
	echo "$base"
}

# root_of RELEASE SOURCE [NAME] - a fresh copy of the base, with the source tree (what git knows or would add) in two
# places: /root/forkheld and, for the ordinary user "guest", /home/guest/forkheld. Prints the directory.
root_of() {
	local base root=$MATRIX_CACHE/run-${3:+$3-}$1 home
	base=$(base_of "$1") || return 1
	rm -rf --one-file-system "$root"
	cp -a --reflink=auto "$base" "$root" || return 1
	chroot "$root" useradd --create-home guest >&2 || return 1
	for home in root home/guest; do
		mkdir -p "$root/$home/forkheld"
		(cd "$2" && git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
			tar -c --null -T - | tar -x --no-same-owner -C "$root/$home/forkheld") || return 1
	done
	chroot "$root" chown -R guest: /home/guest
	# The network as this machine sees it: names, and whom it trusts.
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	mkdir -p "$root/usr/local/share/ca-certificates" "$root/etc/ssl/certs"
	cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null
	cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/matrix.crt" 2>/dev/null
	# How strictly this machine's apt takes the dates of an archive (a snapshot's are long past).
	apt-config dump Acquire::Check-Valid-Until >"$root/etc/apt/apt.conf.d/90matrix"
	apt-config dump Acquire::Check-Date >>"$root/etc/apt/apt.conf.d/90matrix"
	echo "$root"
}

# inside ROOT USER COMMAND... - run it there as that user, in its copy of the source tree, in a mount and process
# namespace of its own: nothing outlives it. Downloaded packages are kept for the next run.
inside() {
	local root=$1 user=$2 home
	shift 2
	home=/root
	[ "$user" = root ] || home=/home/$user
	mkdir -p "$MATRIX_CACHE/packages-${root##*-}" "$root/var/cache/apt/archives"
	unshare --mount --propagation private --pid --fork --kill-child -- bash -c '
		root=$1 packages=$2 user=$3 home=$4
		shift 4
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
			mount --bind "$packages" "$root/var/cache/apt/archives" || exit 1
		exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" USER="$user" \
			LANG=C.UTF-8 CI="${CI:-}" PIP_CERT=/etc/ssl/certs/matrix.crt PIP_DEFAULT_TIMEOUT=180 \
			${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
			chroot --userspec="$user" "$root" bash -c "cd \"\$HOME/forkheld\" && exec \"\$@\"" - "$@"
	' - "$root" "$MATRIX_CACHE/packages-${root##*-}" "$user" "$home" "$@" </dev/null
}
