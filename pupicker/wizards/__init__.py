"""Wizards of the plugin; Scipion finds the classes imported here."""

from pupicker.wizards.wizard_attribute import PuPickerAttributeWizard
from pupicker.wizards.wizard_detection import PuPickerDetectionWizard
from pupicker.wizards.wizard_diameter import PuPickerDiameterWizard
from pupicker.wizards.wizard_prior import PuPickerPriorWizard

__all__ = ["PuPickerAttributeWizard", "PuPickerDetectionWizard", "PuPickerDiameterWizard", "PuPickerPriorWizard"]
