"""raytuner: which configuration is really best for my data, how sure are we, what did it cost?"""

__version__ = "0.1.0"
