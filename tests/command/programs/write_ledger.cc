// Writes a well-formed ledger with something of everything in it, for reading it as a file.
//
// usage: write_ledger FILE
#include <cstdio>

#include "ledger_image.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  impasse::LedgerImage image;
  impasse::furnish(image);
  std::FILE* file = std::fopen(argv[1], "wb");
  if (file == nullptr) return 1;
  const bool written = std::fwrite(image.bytes(), 1, image.size(), file) == image.size();
  return std::fclose(file) == 0 && written ? 0 : 1;
}
