# SPDX-License-Identifier: MIT
# disk.sh - a scenario with a file system of its own that can be full.  Sourced first: it sources lib.sh.
#
# It needs a mount namespace: the scenario begins again in one, or is skipped where none is to be had.
# shellcheck shell=bash

if [ -z "${SCN_IN_NAMESPACE:-}" ]; then
	if unshare -m true 2>/dev/null; then exec unshare -m env SCN_IN_NAMESPACE=1 "$0"; fi
	if unshare -rm true 2>/dev/null; then exec unshare -rm env SCN_IN_NAMESPACE=1 "$0"; fi
	echo "no mount namespace to be had here: a full disk cannot be made"
	exit 77
fi
. "$(dirname "$0")/lib.sh"

# disk_small NAME SIZE: $SITE/NAME is one of that size.
disk_small()
{
	mount --make-rprivate / 2>/dev/null
	mkdir -p "$SITE/$1"
	mount -t tmpfs -o size="$2" tmpfs "$SITE/$1" 2>/dev/null || skip "tmpfs cannot be mounted here: a full disk cannot be made"
	SCN_MOUNT=$SITE/$1
}

# disk_maps: the proxy's map lies on one.
disk_maps()
{
	disk_small maps 128k
	PROXY_MORE=", map: $SITE/maps/shop.map, paths: $SITE/maps/shop.paths"
	MAP_FILE=$SITE/maps/shop.map
}
fill_disk() { cat /dev/zero >"$SITE/maps/full" 2>/dev/null; ! echo more >"$SITE/maps/more" 2>/dev/null || [ ! -s "$SITE/maps/more" ]; }
