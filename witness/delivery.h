// Puts reports where they are to be found: complete or not at all, readable by their owner only, in
// the next best place when the first does not take them.
//
// Promises: never follows a symbolic link in the place of a report, never replaces a file that an
// earlier process left, never leaves half a file under a report's name. Places, in order: the
// option `dir`, $TMPDIR, /tmp, standard error. For our own threads; one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impasse::witness {

// What a raw report says of its names, while somebody looks them up for its full form.
inline constexpr std::string_view kNamesPending = "names are being looked up";

class Delivery {
 public:
  // `directory` is absolute; `process` as it stands in names of files.
  Delivery(std::string directory, std::string temporary, std::uint32_t process);

  struct Files {
    std::string text;  // the path of the text form; empty: it went to standard error, or nowhere
    std::string json;
    std::uint32_t number = 0;  // N in impasse.PID.N.txt
  };

  // A new report: takes the next free number, which `number` learns before the bytes are made.
  // Returns where it can be found; `complaint` is a line for the reader when it is not the first
  // place.
  std::uint32_t next_number();
  Files put(std::uint32_t number, std::string_view text, std::string_view json,
            std::string& complaint);
  // The same report with more in it. False: what stands there stays, and promises names no longer.
  static bool replace(const Files& files, std::string_view text, std::string_view json);
  // It should not have been told after all.
  static void remove(const Files& files);

 private:
  bool put_into(const std::string& directory, std::uint32_t number, std::string_view text,
                std::string_view json, Files& files, int& error) const;

  std::vector<std::string> places_;
  std::uint32_t process_;
  std::uint32_t last_number_ = 0;
  std::size_t complained_ = 0;  // of so many places it was said that they do not work
};

// Writes a file that is complete or absent. `replace`: whatever has this name gives way; otherwise
// an existing one is an error (EEXIST). The error number; 0: written.
int write_file(const std::string& path, std::string_view bytes, bool replace);

}  // namespace impasse::witness
