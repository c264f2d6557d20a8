import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * The official validator as a judge: for each pair `NAME.sent.json` and `NAME.served.json` of a folder, the served one has no
 * error that the sent one has not. Prints what is new; exit code 1 if there is any.
 */
public final class Judge {
    private final FhirValidator validator;

    private Judge() {
        FhirContext context = FhirContext.forR4();
        ValidationSupportChain support = new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            new InMemoryTerminologyServerValidationSupport(context),
            new CommonCodeSystemsTerminologyService(context));
        FhirInstanceValidator instances = new FhirInstanceValidator(support);
        instances.setErrorForUnknownProfiles(false);
        validator = context.newValidator().registerValidatorModule(instances);
    }

    public static void main(String[] arguments) throws Exception {
        Judge judge = new Judge();
        Path folder = Path.of(arguments[0]);
        List<Path> served;
        try (Stream<Path> files = Files.list(folder)) {
            served = files.filter(file -> file.toString().endsWith(".served.json")).sorted().collect(Collectors.toList());
        }
        int added = 0;
        int known = 0;
        for (Path file : served) {
            TreeSet<String> before = judge.errors(Path.of(file.toString().replace(".served.json", ".sent.json")));
            TreeSet<String> after = judge.errors(file);
            known += before.size();
            after.removeAll(before);
            added += after.size();
            for (String error : after) {
                System.out.println(file.getFileName() + ": " + error);
            }
        }
        System.out.println(served.size() + " judged, " + known + " errors in what was sent, " + added + " new in what was served");
        System.exit(added == 0 && !served.isEmpty() ? 0 : 1);
    }

    /** Errors without line numbers: what is served is not laid out as what was sent. */
    private TreeSet<String> errors(Path file) throws Exception {
        String text = Files.readString(file, StandardCharsets.UTF_8);
        TreeSet<String> found = new TreeSet<>();
        for (SingleValidationMessage message : validator.validateWithResult(text).getMessages()) {
            if (message.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0) {
                found.add(message.getMessageId() + " " + message.getLocationString().replaceAll("/\\*[^*]*\\*/", "")
                    + " " + message.getMessage());
            }
        }
        return found;
    }
}
