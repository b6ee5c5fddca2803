"""From evidence to facts: questions to the model, the ensemble, what is stated and what only suggested."""
