// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/pseudonyms.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kDigits = 32;  // of a pseudonym: 128 bits
constexpr std::size_t kFingerprintDigits = 16;
constexpr std::size_t kDigestBytes = 32;  // of SHA-256
constexpr std::size_t kMostKeyBytes = 4096;
constexpr std::size_t kNewKeyBytes = 32;
constexpr const char* kHowToMake = "`penchant pseudonym --new-key FILE` makes one";

constexpr std::string_view prefix_of(Entity entity) {
  constexpr std::array<std::string_view, kNumEntities> kPrefixes = {"pu_", "pi_", "ps_"};
  return kPrefixes[static_cast<std::size_t>(entity)];
}

/// Bytes as hex digits.
std::string hex(std::span<const unsigned char> bytes) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

/// A secret text that leaves nothing in memory.
class Secret {
 public:
  explicit Secret(std::size_t size) : bytes_(size) {}
  ~Secret() { sodium_memzero(bytes_.data(), bytes_.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  std::vector<unsigned char>& bytes() { return bytes_; }

 private:
  std::vector<unsigned char> bytes_;
};

/// What is in a key's file: at most kMostKeyBytes, of which `size` are the key's.
void read_key(const fs::path& file, Secret& secret, std::size_t& size) {
  std::error_code error;
  if (file.empty() || !fs::exists(file, error)) {
    throw InputError(fmt::format("{}: no such key file (data.pseudonym_key, --key); {}",
                                 file.string(), kHowToMake));
  }
  const graph::Descriptor descriptor = graph::open_regular(file);
  struct stat facts {};
  if (::fstat(descriptor.get(), &facts) != 0)
    throw InputError(fmt::format("{}: {}", file.string(), std::strerror(errno)));
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw InputError(fmt::format(
        "{}: the key has permissions {:04o}, open to others than its owner, expected 0600 (chmod "
        "600 FILE; a key that others have read protects nothing)",
        file.string(), facts.st_mode & 07777U));
  }
  size = 0;
  while (size < secret.bytes().size()) {
    const ssize_t got =
        ::read(descriptor.get(), secret.bytes().data() + size, secret.bytes().size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw InputError(fmt::format("{}: {}", file.string(), std::strerror(errno)));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostKeyBytes) {
    throw InputError(fmt::format("{}: the key has more than {} bytes; is it a key? {}",
                                 file.string(), kMostKeyBytes, kHowToMake));
  }
  if (size > 0 && secret.bytes()[size - 1] == '\n') --size;
  if (size > 0 && secret.bytes()[size - 1] == '\r') --size;
  if (size < PseudonymKey::kFewestBytes) {
    throw InputError(fmt::format("{}: the key has {} bytes, expected {} or more; {}", file.string(),
                                 size, PseudonymKey::kFewestBytes, kHowToMake));
  }
}

}  // namespace

bool is_pseudonym(Entity entity, std::string_view raw) {
  const std::string_view prefix = prefix_of(entity);
  return raw.size() == prefix.size() + kDigits && raw.starts_with(prefix) &&
         std::all_of(raw.begin() + static_cast<std::ptrdiff_t>(prefix.size()), raw.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool holds_pseudonyms(const graph::Dictionary& dictionary, std::string_view kind) {
  if (dictionary.size() == 0) return false;
  return is_pseudonym(entity_of(kind), dictionary.raw(0));
}

/// HMAC with the key in it, which each use copies.
struct PseudonymKey::Mac {
  using State = crypto_auth_hmacsha256_state;

  explicit Mac(std::span<const unsigned char> key) {
    if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be initialised");
    crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  }
  ~Mac() { sodium_memzero(&state, sizeof state); }
  Mac(const Mac&) = delete;
  Mac& operator=(const Mac&) = delete;

  State state;
};

PseudonymKey::PseudonymKey(const fs::path& file) {
  ::prctl(PR_SET_DUMPABLE, 0);
  Secret secret(kMostKeyBytes + 1);
  std::size_t size = 0;
  read_key(file, secret, size);
  mac_ = std::make_unique<Mac>(std::span<const unsigned char>(secret.bytes()).first(size));
  fingerprint_ = digest("fingerprint of a key", {}).substr(0, kFingerprintDigits);
}

PseudonymKey::~PseudonymKey() = default;

std::string PseudonymKey::digest(std::string_view label, std::string_view text) const {
  Mac::State state = mac_->state;
  const auto add = [&](std::string_view bytes) {
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()),
                                  bytes.size());
  };
  add(label);
  add(std::string_view("\0", 1));
  if (!text.empty()) add(text);
  std::array<unsigned char, kDigestBytes> bytes{};
  static_assert(kDigestBytes == crypto_auth_hmacsha256_BYTES);
  crypto_auth_hmacsha256_final(&state, bytes.data());
  sodium_memzero(&state, sizeof state);
  return hex(bytes);
}

std::string PseudonymKey::pseudonym(Entity entity, std::string_view raw) const {
  if (is_pseudonym(entity, raw)) return std::string(raw);
  return std::string(prefix_of(entity)) + digest(enum_name(entity), raw).substr(0, kDigits);
}

void write_new_key(const fs::path& file) {
  std::array<unsigned char, kNewKeyBytes> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    throw std::runtime_error(fmt::format("getrandom: {}", std::strerror(errno)));
  std::string text = hex(random) + '\n';
  sodium_memzero(random.data(), random.size());
  const graph::Descriptor descriptor(::open(
      file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!descriptor.valid()) {
    throw InputError(fmt::format(
        "{}: cannot make a key: {}{}", file.string(), std::strerror(errno),
        errno == EEXIST ? "; a key that is there is never overwritten, since ids that it gave "
                          "pseudonyms to would lose them"
                        : ""));
  }
  const bool whole =
      ::write(descriptor.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor.get()) == 0;
  const int reason = errno;
  sodium_memzero(text.data(), text.size());
  if (whole) return;
  ::unlink(file.c_str());
  throw InputError(
      fmt::format("{}: cannot write the key: {}", file.string(), std::strerror(reason)));
}

}  // namespace penchant::pipeline
