# SPDX-License-Identifier: Apache-2.0
# Install rules: the program, the libraries with find_package(penchant), the public headers.
