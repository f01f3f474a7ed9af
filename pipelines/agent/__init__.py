"""Agents: LlamaIndex agents whose prompts, tools and limits are tuned over golden items."""
