// A plugin that registers itself while it is being loaded: under the loader's lock, that is.
extern "C" void register_plugin(const char* name);

extern "C" [[gnu::constructor, gnu::noinline]] void plugin_constructor() {
  register_plugin("plugin");
  asm volatile("");  // no tail call: this frame is to be seen
}
