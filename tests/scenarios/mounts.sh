# SPDX-License-Identifier: MIT
# mounts.sh - a scenario with a mount namespace of its own.  Sourced first, in lib.sh's place: it sources that.
#
# The scenario begins again in one, or is skipped where none is to be had.
# shellcheck shell=bash

if [ -z "${SCN_IN_NAMESPACE:-}" ]; then
	if unshare -m true 2>/dev/null; then exec unshare -m env SCN_IN_NAMESPACE=1 "$0"; fi
	if unshare -rm true 2>/dev/null; then exec unshare -rm env SCN_IN_NAMESPACE=1 "$0"; fi
	echo "no mount namespace to be had here: a file system of its own cannot be given"
	exit 77
fi
. "$(dirname "$0")/lib.sh"
mount --make-rprivate / 2>/dev/null
