#!/usr/bin/env bash
# pyarrow 26.0.1's wheel for Linux: its libparquet.so, whose folder people link C++ programs to (pyarrow.get_library_dirs()), has an OpenSSL inside
# and exports it. In a program that links libparquet and then the system's libcrypto, calls of libcrypto end in the wheel's copy; where the
# linker drops libraries that nobody seems to need (--as-needed), libcrypto is not even loaded. Nothing is said, and security updates of the
# system's OpenSSL change nothing.
# Expected: what is inside stays hidden, as in the wheel's libarrow.so, which exports none of its libraries. Seen: EVP_MAC_fetch of libparquet.so.
# Needs gcc and OpenSSL 3's libcrypto.so.3. Penchant takes HMAC from libsodium, which no wheel of Arrow has inside.
source "$(dirname "$0")/common.bash"
environment pyarrow==26.0.1
arrow=$(python -c 'import pyarrow; print(pyarrow.get_library_dirs()[0])')
cat > fetch.c <<'CODE'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
extern void* EVP_MAC_fetch(void*, const char*, const char*);
int main(void) {
  Dl_info where;
  if (dladdr((void*)EVP_MAC_fetch, &where) == 0) return 1;
  const char* slash = strrchr(where.dli_fname, '/');
  puts(slash == NULL ? where.dli_fname : slash + 1);
  return 0;
}
CODE
parquet=$(basename "$(ls "$arrow"/libparquet.so.*00)")
arrow_library=$(basename "$(ls "$arrow"/libarrow.so.*00)")
count() { nm -D --defined-only "$arrow/$1" | grep -cE ' T (EVP|SSL|X509|CRYPTO)_' || true; }
found=$(gcc fetch.c -o fetch -L"$arrow" -Wl,-rpath,"$arrow" -Wl,--no-as-needed -l:"$parquet" -l:"$arrow_library" -l:libcrypto.so.3 -ldl && ./fetch)
needed=$(gcc fetch.c -o fetch_needed -L"$arrow" -Wl,-rpath,"$arrow" -Wl,--as-needed -l:"$parquet" -l:"$arrow_library" -l:libcrypto.so.3 -ldl && readelf -d fetch_needed | grep -c 'NEEDED.*libcrypto' || true)
alone=$(gcc fetch.c -o alone -l:libcrypto.so.3 -ldl && ./alone)
echo "functions of OpenSSL exported: $parquet $(count "$parquet"), $arrow_library $(count "$arrow_library"); EVP_MAC_fetch of: $found, alone: $alone; libcrypto needed with --as-needed: $needed"
[ "$(count "$parquet")" -gt 1000 ] && [ "$(count "$arrow_library")" -eq 0 ]
[ "$found" = "$parquet" ] && [ "$alone" = libcrypto.so.3 ] && [ "$needed" -eq 0 ]
