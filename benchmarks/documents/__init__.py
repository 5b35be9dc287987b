"""Programs that write documents out of the code itself: the columns of the tables, the models, the notebook."""
