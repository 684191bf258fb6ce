#!/bin/bash
# SPDX-License-Identifier: MIT
# T24: good for probes alone, bad as soon as users come: what is asked for with them decides; at most one flip.
. "$(dirname "$0")/hostile.sh"
unsteady load:20
load_start
load_cmd more 100
at_most_one_flip 60
scn_done
