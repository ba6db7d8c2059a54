"""The core of the omnichannel hub. It knows no channel and no provider by name."""
