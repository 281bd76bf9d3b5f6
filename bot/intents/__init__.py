"""What customers want: messages classified by intent, from few labels or many."""
