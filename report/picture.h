// Who waits for whom, drawn in characters: a circle as a circle, everybody else as a tree below
// whom they wait for.
//
// Promises: bounded in size however many threads there are; equal waits of one layer are one line.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Lines without their indentation. Empty: there is nothing to draw.
std::vector<std::string> picture(const Phrases& say, std::size_t width);

// The two halves of it.
std::vector<std::string> circle(const Phrases& say, std::size_t width);
std::vector<std::string> wait_tree(const Phrases& say, std::size_t width);
// Of a stuck condition, or of all asleep: in place of both.
std::vector<std::string> stuck_picture(const Phrases& say, std::size_t width);

// These links, each one's blocker the next one's waiter.
std::vector<std::string> circle(const Phrases& say, const std::vector<Link>& links,
                                std::size_t width);

// A piece of line with its words in the middle.
std::string wire(std::size_t width, const std::string& words);

}  // namespace impasse::report
