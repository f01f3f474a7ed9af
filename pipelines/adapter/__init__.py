"""Training an adapter on top of an embedder that stays as it is: the objective of kind `adapter`.

The configuration (`config`), the section of a study (`spec`), the division of questions (`parts`),
pairs of questions and evidence (`pairs`), the arithmetic (`model`, `losses`, `trainer`), which
state follows from which parameters (`course`), scores (`retrieval`) and the objective.
"""
