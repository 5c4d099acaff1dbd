# Each target is one script or one command; CONTRIBUTING.md says what they do.
.PHONY: all demo test golden bench bench-full fuzz lint sanitize cover docs install clean

all: ; @tools/build
demo: ; @tools/demo
test: ; @tools/test
golden: ; @BRAID_GOLDEN=1 tools/test
bench: ; @tools/bench
bench-full: ; @tools/bench --full
fuzz: ; @tools/fuzz
lint: ; @tools/lint
sanitize: ; @tools/sanitize
cover: ; @tools/cover
docs: ; @tools/docs
install: ; @tools/install
clean: ; @rm -rf build build-clang build-asan build-tsan build-fuzz build-cover
