# SPDX-License-Identifier: MIT
# disk.sh - a scenario with a file system of its own that can be full.  Sourced first: it sources mounts.sh, and that lib.sh.
# shellcheck shell=bash

. "$(dirname "$0")/mounts.sh"

# disk_small NAME SIZE: $SITE/NAME is one of that size.
disk_small()
{
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
