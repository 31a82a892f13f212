// What the loaded objects of the dynamic driver offer.
#pragma once

extern "C" {

// Locks and unlocks everything the plugin has, `rounds` times; returns how often it did so far.
int plugin_use(int rounds);

// Takes and gives back a static mutex that nothing else in the plugin uses.
int plugin_hold();
int plugin_release();
}
