/* SPDX-License-Identifier: MIT
 * version.h - the version of this source tree. */
#ifndef SWITCHD_BASE_VERSION_H
#define SWITCHD_BASE_VERSION_H

#define SWITCHD_VERSION "0.1.0"

#endif
