"""What an image goes through before the network: a pipeline comes with the data, a model tells it its switches."""
