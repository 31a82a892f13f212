# The commands of the house. Each installs what it needs (Debian packages), configures and builds by itself.
BUILD := build
JOBS := $(shell nproc)

.PHONY: all build demo test bench format install package package-check-debootstrap clean

all: build

$(BUILD)/build.ninja: CMakeLists.txt
	@.ci/packages build
	@cmake --preset default -B $(BUILD) >/dev/null

build: $(BUILD)/build.ninja
	@cmake --build $(BUILD)

# A program gets stuck; impasse says who waits for whom.
demo:
	@.ci/packages build
	@cmake --preset default -B $(BUILD) -DIMPASSE_TESTS=OFF >/dev/null
	@cmake --build $(BUILD) -- --quiet
	@samples/demo $(BUILD)

test:
	@.ci/packages test
	@cmake --preset default -B $(BUILD) -DIMPASSE_TESTS=ON >/dev/null
	@cmake --build $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) --no-tests=error

bench:
	@.ci/packages test
	@cmake --preset default -B $(BUILD) -DIMPASSE_TESTS=ON >/dev/null
	@cmake --build $(BUILD) --target bench

format:
	@git ls-files --cached --others --exclude-standard '*.cc' '*.h' | xargs clang-format -i

install: build
	@cmake --install $(BUILD)

# A .deb and a .tar.gz, in build-release/.
package:
	@.ci/packages package
	@cmake --preset release >/dev/null
	@cmake --build build-release --target package

# The same packages in a Debian fresh from the mirror, at last under systemd; as root.
package-check-debootstrap: package
	@.ci/packages debian
	@tests/packages/in_debian build-release

clean:
	@rm -rf $(BUILD)
