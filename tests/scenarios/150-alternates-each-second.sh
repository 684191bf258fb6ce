#!/bin/bash
# SPDX-License-Identifier: MIT
# T21: good for a second, bad for a second, and so on: at most one flip, and none back.
. "$(dirname "$0")/hostile.sh"
unsteady alternate:1s
at_most_one_flip 60
scn_done
