"""Language models in this process through llama.cpp: no daemon, no GPU."""
