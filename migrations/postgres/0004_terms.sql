-- Which terms came accepted with an attempt, and are in its create call; NULL: none.
ALTER TABLE attempts ADD COLUMN terms_version text;
