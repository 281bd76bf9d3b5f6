"""Where help articles come from: files of several kinds, and the pages of a website."""
