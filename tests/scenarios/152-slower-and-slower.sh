#!/bin/bash
# SPDX-License-Identifier: MIT
# T23: each answer comes later than the one before, up to the timeout and past it: at most one flip.
. "$(dirname "$0")/hostile.sh"
SVC[timeout]=1s
unsteady creep:40ms
at_most_one_flip 60
scn_done
