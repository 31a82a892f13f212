#include "symbolize/burst_memory.h"

#include <backtrace.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace impasse::symbolize {
namespace {

constexpr std::size_t kGrain = 16;
constexpr std::size_t kLeastFree = 32;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kMostTries = 16;  // free blocks of one bin that are looked at

constinit thread_local BurstMemory* own __attribute__((tls_model("initial-exec"))) = nullptr;

std::size_t bin_of(std::size_t bytes) {
  return static_cast<std::size_t>(std::bit_width(bytes) - 1);
}

std::size_t rounded(std::size_t bytes, std::size_t grain) {
  return (bytes + grain - 1) & ~(grain - 1);
}

std::size_t page_bytes() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

BurstMemory::BurstMemory(std::size_t most_bytes) : most_bytes_(most_bytes), before_(own) {
  own = this;
}

BurstMemory::~BurstMemory() {
  own = before_;
  for (const View* view = views_; view != nullptr; view = view->next) {
    munmap(view->memory, view->bytes);
  }
  while (chunks_ != nullptr) {
    Chunk* const chunk = chunks_;
    chunks_ = chunk->next;
    munmap(chunk, chunk->bytes);
  }
}

BurstMemory* BurstMemory::present() {
  return own;
}

BurstMemory::Chunk* BurstMemory::add_chunk(std::size_t bytes, std::size_t only_block) {
  if (bytes > most_bytes_ - bytes_) {
    exhausted_ = true;
    return nullptr;
  }
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    exhausted_ = true;
    return nullptr;
  }
  auto* const chunk = static_cast<Chunk*>(memory);
  *chunk = {chunks_, bytes, only_block};
  chunks_ = chunk;
  bytes_ += bytes;
  return chunk;
}

void* BurstMemory::take(std::size_t bytes) {
  if (bytes > most_bytes_) {
    exhausted_ = true;
    return nullptr;
  }
  bytes = std::max(kLeastFree, rounded(bytes, kGrain));
  if (void* const block = take_free(bytes)) return block;
  // A large block has a chunk of its own, which goes when the block goes.
  const bool large = bytes >= kChunkBytes / 2;
  Chunk* const chunk = large ? add_chunk(rounded(bytes + sizeof(Chunk), page_bytes()), bytes)
                             : add_chunk(kChunkBytes, 0);
  if (chunk == nullptr) return nullptr;
  auto* const block = reinterpret_cast<unsigned char*>(chunk + 1);
  if (!large) keep_free(block + bytes, kChunkBytes - sizeof(Chunk) - bytes);
  return block;
}

void* BurstMemory::take_free(std::size_t bytes) {
  for (std::size_t bin = bin_of(bytes); bin < kBins; ++bin) {
    Free** link = &bins_[bin];
    for (std::size_t tries = 0; *link != nullptr && tries < kMostTries; ++tries) {
      Free* const block = *link;
      if (block->bytes >= bytes) {
        *link = block->next;
        keep_free(reinterpret_cast<unsigned char*>(block) + bytes, block->bytes - bytes);
        return block;
      }
      link = &block->next;
    }
  }
  return nullptr;
}

void BurstMemory::keep_free(void* block, std::size_t bytes) {
  if (bytes < kLeastFree) return;
  auto* const free_block = static_cast<Free*>(block);
  Free*& bin = bins_[bin_of(bytes)];
  *free_block = {bin, bytes};
  bin = free_block;
}

void BurstMemory::give_back(void* block, std::size_t bytes) {
  for (Chunk** link = &chunks_; bytes >= kChunkBytes / 2 && *link != nullptr;
       link = &(*link)->next) {
    Chunk* const chunk = *link;
    // All of it: the end of a vector's block may have been given back alone.
    if (chunk + 1 != block || chunk->only_block != rounded(bytes, kGrain)) continue;
    *link = chunk->next;
    bytes_ -= chunk->bytes;
    munmap(chunk, chunk->bytes);
    return;
  }
  // The rest of a vector may begin and end anywhere.
  const auto begin = reinterpret_cast<std::uintptr_t>(block);
  const std::uintptr_t aligned = rounded(begin, kGrain);
  const std::uintptr_t end = (begin + bytes) & ~(kGrain - 1);
  if (end > aligned) keep_free(reinterpret_cast<void*>(aligned), end - aligned);
}

const unsigned char* BurstMemory::map_file(int descriptor, std::uint64_t offset,
                                           std::uint64_t bytes, void*& mapped,
                                           std::size_t& mapped_bytes) {
  const std::uint64_t before = offset % page_bytes();
  auto* const view = static_cast<View*>(take(sizeof(View)));
  if (view == nullptr) return nullptr;
  mapped_bytes = rounded(bytes + before, page_bytes());
  mapped = mmap(nullptr, mapped_bytes, PROT_READ, MAP_PRIVATE, descriptor,
                static_cast<off_t>(offset - before));
  if (mapped == MAP_FAILED) {
    give_back(view, sizeof(View));
    return nullptr;
  }
  *view = {views_, mapped, mapped_bytes};
  views_ = view;
  return static_cast<const unsigned char*>(mapped) + before;
}

void BurstMemory::unmap_file(void* mapped) {
  for (View** link = &views_; *link != nullptr; link = &(*link)->next) {
    View* const view = *link;
    if (view->memory != mapped) continue;
    *link = view->next;
    munmap(view->memory, view->bytes);
    give_back(view, sizeof(View));
    return;
  }
}

}  // namespace impasse::symbolize

// The inner interface of libbacktrace (its internal.h), as of GCC 9 to 14.
// NOLINTBEGIN(readability-identifier-naming)
extern "C" {

struct backtrace_vector {
  void* base;
  std::size_t size;
  std::size_t alc;  // free behind it
};

struct backtrace_view {
  const void* data;
  void* base;
  std::size_t len;
};

void* backtrace_alloc(backtrace_state*, std::size_t size, backtrace_error_callback error,
                      void* data) {
  auto* const memory = impasse::symbolize::BurstMemory::present();
  void* const block = memory == nullptr ? nullptr : memory->take(size);
  if (block == nullptr && error != nullptr) error(data, "not enough memory", ENOMEM);
  return block;
}

void backtrace_free(backtrace_state*, void* block, std::size_t size, backtrace_error_callback,
                    void*) {
  auto* const memory = impasse::symbolize::BurstMemory::present();
  if (memory != nullptr && block != nullptr) memory->give_back(block, size);
}

void* backtrace_vector_grow(backtrace_state* state, std::size_t size,
                            backtrace_error_callback error, void* data, backtrace_vector* vector) {
  if (size > vector->alc) {
    constexpr std::size_t kFirst = 16;  // of these elements
    constexpr std::size_t kLeast = 4096;
    const std::size_t room =
        vector->size == 0 ? kFirst * size : std::max(kLeast, 2 * (vector->size + size));
    void* const block = backtrace_alloc(state, room, error, data);
    if (block == nullptr) return nullptr;
    if (vector->base != nullptr) {
      std::memcpy(block, vector->base, vector->size);
      backtrace_free(state, vector->base, vector->size + vector->alc, error, data);
    }
    vector->base = block;
    vector->alc = room - vector->size;
  }
  void* const added = static_cast<unsigned char*>(vector->base) + vector->size;
  vector->size += size;
  vector->alc -= size;
  return added;
}

// What is in the vector is complete; the vector goes on behind it.
void* backtrace_vector_finish(backtrace_state*, backtrace_vector* vector, backtrace_error_callback,
                              void*) {
  void* const complete = vector->base;
  vector->base = static_cast<unsigned char*>(complete) + vector->size;
  vector->size = 0;
  return complete;
}

int backtrace_vector_release(backtrace_state* state, backtrace_vector* vector,
                             backtrace_error_callback error, void* data) {
  if (vector->base != nullptr) {
    backtrace_free(state, static_cast<unsigned char*>(vector->base) + vector->size, vector->alc,
                   error, data);
  }
  vector->alc = 0;
  if (vector->size == 0) vector->base = nullptr;
  return 1;
}

int backtrace_get_view(backtrace_state*, int descriptor, off_t offset, std::uint64_t size,
                       backtrace_error_callback error, void* data, backtrace_view* view) {
  auto* const memory = impasse::symbolize::BurstMemory::present();
  const bool sensible = memory != nullptr && offset >= 0 && size <= (std::uint64_t{1} << 40);
  view->data = !sensible ? nullptr
                         : memory->map_file(descriptor, static_cast<std::uint64_t>(offset), size,
                                            view->base, view->len);
  if (view->data != nullptr) return 1;
  error(data, "a file could not be mapped", errno);
  return 0;
}

void backtrace_release_view(backtrace_state*, backtrace_view* view, backtrace_error_callback,
                            void*) {
  auto* const memory = impasse::symbolize::BurstMemory::present();
  if (memory != nullptr) memory->unmap_file(view->base);
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
