# SPDX-License-Identifier: Apache-2.0
"""Trained models behind the interfaces of other libraries, which are imported with their module: penchant.adapters.lenskit,
penchant.adapters.rectools."""
